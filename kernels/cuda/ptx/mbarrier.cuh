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

// mbarrier.arrive, own block, or at an address from peer_address, not before the two values are in
// their registers. An arrival alone overtakes reads of shared memory that are still under way. Both
// branches arrive, so that no value can keep it from happening.
template <bool kPeer>
DEEPGEMM_DEVICE void barrier_arrive_after(u32 barrier, float first, float second) {
  if constexpr (kPeer) {
    asm volatile(
        "{\n.reg .pred one, any;\n"
        "setp.eq.b32 one, %1, 0x7fabcdef;\n"
        "setp.eq.or.b32 any, %2, 0x7fabcdef, one;\n"
        "@any mbarrier.arrive.shared::cluster.b64 _, [%0];\n"
        "@!any mbarrier.arrive.shared::cluster.b64 _, [%0];\n}" ::"r"(barrier),
        "f"(first), "f"(second)
        : "memory");
  } else {
    asm volatile(
        "{\n.reg .pred one, any;\n"
        "setp.eq.b32 one, %1, 0x7fabcdef;\n"
        "setp.eq.or.b32 any, %2, 0x7fabcdef, one;\n"
        "@any mbarrier.arrive.shared::cta.b64 _, [%0];\n"
        "@!any mbarrier.arrive.shared::cta.b64 _, [%0];\n}" ::"r"(barrier),
        "f"(first), "f"(second)
        : "memory");
  }
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
