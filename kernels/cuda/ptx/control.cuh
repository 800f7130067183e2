// Instructions about the running thread, its block, its cluster and its grid.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// setmaxnreg: hands registers between the warp groups of a block.
template <int kRegisters>
DEEPGEMM_DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

template <int kRegisters>
DEEPGEMM_DEVICE void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// bar.sync on a named barrier; 0 is __syncthreads.
DEEPGEMM_DEVICE void sync_threads(u32 barrier, u32 threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// bar.arrive: counts this warp in without waiting.
DEEPGEMM_DEVICE void arrive_threads(u32 barrier, u32 threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// A value that is the same in every thread of a warp, said so that ptxas knows it: what depends on
// such values alone is computed once per warp, beside the other threads' work.
DEEPGEMM_DEVICE u32 uniform(u32 value) { return __shfl_sync(0xffffffffu, value, 0); }

// Zero, which ptxas does not know: grids have one dimension.
DEEPGEMM_DEVICE u32 unknown_zero() {
  u32 zero;
  asm("mov.u32 %0, %%ctaid.y;" : "=r"(zero));
  return zero;
}

// elect.sync: true in one lane of a whole warp. Code under it is known to ptxas to run in one
// thread, so that a copy needs no loop over the lanes.
DEEPGEMM_DEVICE bool elect() {
  u32 chosen;
  asm volatile(
      "{\n.reg .pred chosen;\n"
      "elect.sync _|chosen, 0xffffffff;\n"
      "selp.u32 %0, 1, 0, chosen;\n}"
      : "=r"(chosen));
  return chosen != 0;
}

DEEPGEMM_DEVICE u32 cluster_rank() {
  u32 rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// barrier.cluster: all threads of all blocks of the cluster.
DEEPGEMM_DEVICE void sync_cluster() {
  asm volatile(
      "barrier.cluster.arrive.release.aligned;\n"
      "barrier.cluster.wait.acquire.aligned;" ::
          : "memory");
}

// griddepcontrol.wait: until the kernel before this one has finished and its writes are visible.
// Returns at once where the launch did not ask for programmatic dependence.
DEEPGEMM_DEVICE void wait_for_previous_kernel() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}

// griddepcontrol.launch_dependents: blocks of the next kernel may start where room appears.
DEEPGEMM_DEVICE void allow_next_kernel() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

DEEPGEMM_DEVICE void trap() { asm volatile("trap;"); }

}  // namespace deepgemm::ptx
