// Where a thread stands among the math warp groups, and which elements of a tile it holds.
#pragma once

#include "pipeline/tile.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

struct MathThread {
  u32 group;  // warp group
  u32 warp;   // in the warp group
  u32 lane;
  u32 thread;  // in the warp group

  DEEPGEMM_DEVICE static MathThread current() {
    const u32 thread = threadIdx.x % kWarpGroupThreads;
    // Read from one lane, so that the compiler knows it to be the same in the whole warp.
    const u32 warp = __shfl_sync(0xffffffffu, threadIdx.x / kWarpThreads, 0);
    return {warp / 4, warp % 4, threadIdx.x % kWarpThreads, thread};
  }

  // Rows of wgmma's D within its 64: this one (registers 4 j, 4 j + 1) and that + 8 (4 j + 2, + 3).
  DEEPGEMM_DEVICE u32 first_row() const { return warp * 16 + lane / 4; }

  // Columns of the 8 of register group j: this one and the next.
  DEEPGEMM_DEVICE u32 first_column() const { return lane % 4 * 2; }

  // Barrier 0 is __syncthreads; every warp group has one of its own after it.
  DEEPGEMM_DEVICE void sync_group() const { ptx::sync_threads(1 + group, kWarpGroupThreads); }
};

}  // namespace deepgemm
