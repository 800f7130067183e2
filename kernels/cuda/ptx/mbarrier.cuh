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

// mbarrier.arrive on the same barrier of another block of the cluster
DEEPGEMM_DEVICE void barrier_arrive_peer(u64* barrier, u32 rank) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(
                   peer_address(shared_address(barrier), rank))
               : "memory");
}

// mbarrier.try_wait: returns once the phase with this parity has completed. On a fresh barrier
// parity 1 counts as completed.
DEEPGEMM_DEVICE void barrier_wait(u64* barrier, u32 parity) {
  const u32 address = shared_address(barrier);
  u32 done = 0;
  while (done == 0) {
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(done)
        : "r"(address), "r"(parity)
        : "memory");
  }
}

}  // namespace deepgemm::ptx
