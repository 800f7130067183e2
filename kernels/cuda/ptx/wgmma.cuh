// The synchronisation around wgmma.mma_async; the instruction itself is in wgmma/instructions.cuh.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// wgmma.fence: orders register accesses before it with the wgmma after it.
DEEPGEMM_DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// wgmma.commit_group
DEEPGEMM_DEVICE void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// wgmma.wait_group: at most kPending committed groups are still running.
template <int kPending>
DEEPGEMM_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// No instruction: keeps the compiler from moving accesses of an accumulator across this point,
// because it does not know that a running wgmma writes it.
template <int kCount>
DEEPGEMM_DEVICE void hold(float (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(registers[i])::"memory");
}

}  // namespace deepgemm::ptx
