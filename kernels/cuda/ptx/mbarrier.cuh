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
DEEPGEMM_DEVICE void barrier_arrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

DEEPGEMM_DEVICE void barrier_arrive(u64* barrier) { barrier_arrive(shared_address(barrier)); }

// mbarrier.arrive at an address from peer_address
DEEPGEMM_DEVICE void barrier_arrive_peer(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
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
