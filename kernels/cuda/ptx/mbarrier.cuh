// mbarrier: the full and empty barriers of the stage ring.
#pragma once

#include "ptx/address.cuh"

namespace deepgemm::ptx {

// mbarrier.init
DEEPGEMM_DEVICE void barrier_init(u64* barrier, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}

// fence.mbarrier_init: makes fresh barriers visible to the copy engine and to the cluster.
DEEPGEMM_DEVICE void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// mbarrier.arrive.expect_tx: one arrival that also announces bytes of bulk copies.
DEEPGEMM_DEVICE void barrier_arrive_expect(u64* barrier, u32 bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}

// mbarrier.arrive, own block
DEEPGEMM_DEVICE void barrier_arrive(u64* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}

// mbarrier.arrive, own block, or at an address from peer_address, by the lanes with `arrives`, not
// before `value` is in its register: an arrival alone overtakes reads of shared memory that are
// still under way. Every value is at least `zero`, but ptxas must not know that it is 0. No branch:
// it would cost the warp as much as a third of its promotion.
template <bool kPeer>
DEEPGEMM_DEVICE void barrier_arrive_after(u32 value, u32 zero, u32 barrier, bool arrives) {
  if constexpr (kPeer) {
    asm volatile(
        "{\n.reg .pred now;\n"
        "setp.ne.u32 now, %3, 0;\n"
        "setp.ge.and.u32 now, %0, %1, now;\n"
        "@now mbarrier.arrive.shared::cluster.b64 _, [%2];\n}" ::"r"(value),
        "r"(zero), "r"(barrier), "r"(static_cast<u32>(arrives))
        : "memory");
  } else {
    asm volatile(
        "{\n.reg .pred now;\n"
        "setp.ne.u32 now, %3, 0;\n"
        "setp.ge.and.u32 now, %0, %1, now;\n"
        "@now mbarrier.arrive.shared::cta.b64 _, [%2];\n}" ::"r"(value),
        "r"(zero), "r"(barrier), "r"(static_cast<u32>(arrives))
        : "memory");
  }
}

// mbarrier.test_wait: whether the phase with this parity has completed.
DEEPGEMM_DEVICE bool barrier_test(u64* barrier, u32 parity) {
  u32 done;
  asm volatile(
      "{\n.reg .pred done;\n"
      "mbarrier.test_wait.parity.shared::cta.b64 done, [%1], %2;\n"
      "selp.u32 %0, 1, 0, done;\n}"
      : "=r"(done)
      : "r"(shared_address(barrier)), "r"(parity)
      : "memory");
  return done != 0;
}

// mbarrier.try_wait: returns once the phase with this parity has completed. On a fresh barrier
// parity 1 counts as completed.
DEEPGEMM_DEVICE void barrier_wait(u64* barrier, u32 parity) {
  asm volatile(
      "{\n.reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra there;\n"
      "bra again;\n"
      "there:\n}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

}  // namespace deepgemm::ptx
