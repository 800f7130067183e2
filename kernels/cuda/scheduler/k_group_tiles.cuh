// Tiles of the k-grouped layout: every group has the same ones, with its own slice of K. The warp
// knows where the slices of 32 groups begin, and walks on as the tiles do.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/work.cuh"
#include "ptx/memory.cuh"
#include "scheduler/group_rows.cuh"

namespace deepgemm {

template <class Config>
class KGroupTiles {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE KGroupTiles(const GemmArguments& arguments, BlockPlace place)
      : arguments_(arguments), place_(place), lane_(threadIdx.x % kWarpThreads) {
    open(0, 0, 0);
  }

  DEEPGEMM_DEVICE u32 count() const { return arguments_.groups * per_group(); }

  DEEPGEMM_DEVICE void put(const Segment& segment, GroupJob job, JobWriter& writer) {
    const u32 group = segment.tile / per_group();
    while (group >= base_ + kWarpThreads) next_window();
    const Corner corner =
        corner_of<Config>(arguments_, segment.tile - group * per_group(), place_.rank);
    const bool writes = lane_ == group - base_;
    job.left = corner.left;
    job.right = corner.right;
    job.group = group;
    job.token_end = arguments_.left_extent;
    job.k_first = first_;
    job.k_size = size_;
    job.scale_row = scale_row_;
    const u32 parts = first_ % kColumnGrain == 0 ? 1 : 2;  // of a block, see SliceOfK
    job.k_blocks = ceil_div(size_, static_cast<u32>(kScaleBlock)) * parts;
    job.k_end = job.k_blocks;
    if constexpr (Config::kAccumulate) {
      // The D of an empty group stays as it is.
      if (__shfl_sync(0xffffffffu, size_, group - base_) == 0) return;
    }
    writer.put(job, writes);
  }

 private:
  DEEPGEMM_DEVICE u32 per_group() const { return arguments_.left_tiles * arguments_.right_tiles; }

  // K and scale rows before the window; sums are cut off at ΣK, which also keeps them from
  // wrapping.
  DEEPGEMM_DEVICE void open(u32 base, u32 first, u32 scale_row) {
    base_ = base;
    const u32 group = base + lane_;
    const int given = group < arguments_.groups ? ptx::load(arguments_.group_data + group) : 0;
    const u32 wanted = clamped(given, 0, arguments_.k);
    u32 through = wanted;
#pragma unroll
    for (u32 step = 1; step < kWarpThreads; step *= 2) {
      const u32 below = __shfl_up_sync(0xffffffffu, through, step);
      if (lane_ >= step) through = least(through + below, arguments_.k);
    }
    const u32 before = __shfl_up_sync(0xffffffffu, through, 1);
    const u32 room = arguments_.k - first;
    const u32 begin = least(lane_ == 0 ? 0 : before, room);
    size_ = least(wanted, room - begin);
    first_ = first + begin;
    u32 blocks = ceil_div(size_, static_cast<u32>(kScaleBlock));
    const u32 own = blocks;
#pragma unroll
    for (u32 step = 1; step < kWarpThreads; step *= 2) {
      const u32 below = __shfl_up_sync(0xffffffffu, blocks, step);
      if (lane_ >= step) blocks += below;
    }
    scale_row_ = scale_row + blocks - own;
  }

  DEEPGEMM_DEVICE void next_window() {
    constexpr int kLast = kWarpThreads - 1;
    const u32 end = __shfl_sync(0xffffffffu, first_ + size_, kLast);
    const u32 blocks = ceil_div(size_, static_cast<u32>(kScaleBlock));
    open(base_ + kWarpThreads, end, __shfl_sync(0xffffffffu, scale_row_ + blocks, kLast));
  }

  const GemmArguments& arguments_;
  BlockPlace place_;
  u32 lane_;
  u32 base_;       // first group of the window; the lane's group is that + lane
  u32 first_;      // its first column
  u32 size_;       // its columns
  u32 scale_row_;  // its first row of scales
};

}  // namespace deepgemm
