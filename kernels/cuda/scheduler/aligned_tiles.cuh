// Tiles of the contiguous layout. A group begins at a multiple of 128 rows, so that the first row
// of each 128 tells whose they are; neighbours of the same group are a run, and its tiles begin
// with it, as if its rows were packed. Runs are sought in windows of 1024 blocks of 128 rows, at
// whose end a run is cut. A block whose first row is padding is a run of its own: what else it has
// is seen when its tile is put.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/work.cuh"
#include "ptx/memory.cuh"

namespace deepgemm {

template <class Config>
class AlignedTiles {
  using T = Tile<Config>;
  static constexpr u32 kPerLane = kWarpThreads;
  static constexpr u32 kWindow = kPerLane * kWarpThreads;
  static constexpr u32 kAtOnce = 4;   // loads of a lane
  static constexpr u32 kBlock = 128;  // rows of one group
  static constexpr u32 kTokens = T::kLeft * (T::kSharesRight ? T::kCluster : 1);
  static constexpr u32 kSeen = ceil_div(kTokens, static_cast<u32>(kWarpThreads));

 public:
  DEEPGEMM_DEVICE AlignedTiles(const GemmArguments& arguments, BlockPlace place)
      : arguments_(arguments), place_(place), lane_(threadIdx.x % kWarpThreads) {}

  DEEPGEMM_DEVICE u32 count() {
    for (u32 base = 0; base < blocks(); base += kWindow) open(base, first_ + tiles());
    return first_ + tiles();
  }

  DEEPGEMM_DEVICE void put(const Segment& segment, GroupJob job, JobWriter& writer) {
    while (segment.tile - first_ >= tiles()) {
      const bool is_before = segment.tile < first_;
      open(is_before ? 0 : base_ + kWindow, is_before ? 0 : first_ + tiles());
    }
    const u32 within = segment.tile - first_;
    const u32 owner = __ffs(__ballot_sync(0xffffffffu, through_ > within)) - 1;
    const u32 below = __shfl_up_sync(0xffffffffu, through_, 1);
    const u32 runs_end = end_of_last();
    TileOfRun tile = {};
    if (lane_ == owner) tile = tile_at(within - (lane_ == 0 ? 0 : below), runs_end);
    const u32 row = __shfl_sync(0xffffffffu, tile.row, owner);
    const u32 end = __shfl_sync(0xffffffffu, tile.end, owner);
    const u32 right = __shfl_sync(0xffffffffu, tile.right, owner);
    job.left = row + (T::kSharesRight ? place_.rank * T::kLeft : 0);
    job.right = right * T::kRight * (T::kSharesLeft ? T::kCluster : 1) +
                (T::kSharesLeft ? place_.rank * T::kRight : 0);
    job.token_end = end;
    put_rows(row, job, writer);
  }

 private:
  struct TileOfRun {
    u32 row;
    u32 end;  // of the run
    u32 right;
  };

  DEEPGEMM_DEVICE u32 blocks() const { return ceil_div(arguments_.left_extent, kBlock); }

  // -1: padding, or no group at all; out of range in blocks beyond the last.
  DEEPGEMM_DEVICE int group_of(u32 block) const {
    const int group = ptx::load(arguments_.group_data + block * kBlock);
    return group >= 0 && group < static_cast<int>(arguments_.groups) ? group : -1;
  }

  DEEPGEMM_DEVICE static u32 tiles_of(u32 rows) { return ceil_div(rows, kTokens); }

  // Rows before block `block` of the window, as far as they exist.
  DEEPGEMM_DEVICE u32 row_at(u32 block) const {
    return least((base_ + block) * kBlock, arguments_.left_extent);
  }

  // The window of blocks from `base` on, whose first tile is number `first`.
  DEEPGEMM_DEVICE void open(u32 base, u32 first) {
    base_ = base;
    first_ = first;
    const u32 count = least(blocks() - base, kWindow);
    starts_ = 0;
    int last = -1;  // the group of the block before
    for (u32 word = 0; word * kPerLane < count; word += kAtOnce) {
      int groups[kAtOnce];
#pragma unroll
      for (u32 i = 0; i < kAtOnce; ++i) {
        const u32 block = (word + i) * kPerLane + lane_;
        groups[i] = block < count ? group_of(base + block) : -1;
      }
#pragma unroll
      for (u32 i = 0; i < kAtOnce; ++i) {
        const int below = __shfl_up_sync(0xffffffffu, groups[i], 1);
        const bool follows = groups[i] >= 0 && groups[i] == (lane_ == 0 ? last : below);
        const bool exists = (word + i) * kPerLane + lane_ < count;
        const u32 starts = __ballot_sync(0xffffffffu, exists && !follows);
        if (lane_ == word + i) starts_ = starts;
        last = __shfl_sync(0xffffffffu, groups[i], kWarpThreads - 1);
      }
    }
    const u32 end = end_of_last();
    through_ = 0;
    for (u32 left = starts_; left != 0; left &= left - 1) through_ += tiles_of(rows_of(left, end));
    through_ *= arguments_.right_tiles;
#pragma unroll
    for (u32 step = 1; step < kWarpThreads; step *= 2) {
      const u32 below = __shfl_up_sync(0xffffffffu, through_, step);
      if (lane_ >= step) through_ += below;
    }
  }

  // Of the window.
  DEEPGEMM_DEVICE u32 tiles() const { return __shfl_sync(0xffffffffu, through_, kWarpThreads - 1); }

  // Block of the window at which the lane's last run ends: the first run of a lane above, or the
  // end.
  DEEPGEMM_DEVICE u32 end_of_last() const {
    const u32 above = __ballot_sync(0xffffffffu, starts_ != 0) & ~((2u << lane_) - 1);
    const u32 next = above == 0 ? lane_ : __ffs(above) - 1;
    const u32 start = __ffs(__shfl_sync(0xffffffffu, starts_, next)) - 1;
    return above == 0 ? least(blocks() - base_, kWindow) : next * kPerLane + start;
  }

  // The run that begins at the lowest bit of `starts`, the lane's runs that are left: its first
  // block in the window, and the one after its last. `end` is that of the lane's last run.
  DEEPGEMM_DEVICE u32 begin_of(u32 starts) const { return lane_ * kPerLane + __ffs(starts) - 1; }
  DEEPGEMM_DEVICE u32 end_of(u32 starts, u32 end) const {
    const u32 others = starts & (starts - 1);
    return others == 0 ? end : begin_of(others);
  }
  DEEPGEMM_DEVICE u32 rows_of(u32 starts, u32 end) const {
    return row_at(end_of(starts, end)) - row_at(begin_of(starts));
  }

  // `tile` counts from the first tile of the lane's runs.
  DEEPGEMM_DEVICE TileOfRun tile_at(u32 tile, u32 end) const {
    u32 starts = starts_;
    u32 token_tiles = tiles_of(rows_of(starts, end));
    while (tile >= token_tiles * arguments_.right_tiles) {
      tile -= token_tiles * arguments_.right_tiles;
      starts &= starts - 1;
      token_tiles = tiles_of(rows_of(starts, end));
    }
    const TilePlace at = place_of_tile(tile, token_tiles, arguments_.right_tiles, arguments_.band);
    return {row_at(begin_of(starts)) + at.left * kTokens, row_at(end_of(starts, end)), at.right};
  }

  // All lanes: looks at the tile's rows from `row` on.
  DEEPGEMM_DEVICE void put_rows(u32 row, GroupJob job, JobWriter& writer) const {
    int own[kSeen];
    int group = -1;
#pragma unroll
    for (u32 i = 0; i < kSeen; ++i) {
      const u32 at = row + i * kWarpThreads + lane_;
      const bool is_seen = i * kWarpThreads + lane_ < kTokens && at < job.token_end;
      own[i] = is_seen ? ptx::load(arguments_.group_data + at) : -1;
      if (own[i] < static_cast<int>(arguments_.groups)) group = most(group, own[i]);
    }
    group = __reduce_max_sync(0xffffffffu, group);
    bool others = false;
    u32 work_end = 0;
#pragma unroll
    for (u32 i = 0; i < kSeen; ++i) {
      const u32 at = row + i * kWarpThreads + lane_;
      if (own[i] == group) work_end = at + 1;
      const bool is_seen = i * kWarpThreads + lane_ < kTokens && at < job.token_end;
      others = others || (is_seen && own[i] != group);
    }
    job.group = most(group, 0);
    job.work_end = __reduce_max_sync(0xffffffffu, work_end);
    const bool is_mixed = __any_sync(0xffffffffu, others) != 0;
    if (group < 0) {  // zeros, unless D stays as it is
      if constexpr (Config::kAccumulate) return;
      if (job.k_begin != 0) return;  // shared along K: one worker stores them
      job.k_end = 0;
      job.k_blocks = 0;
      job.work_end = 0;
    } else if (is_mixed) {
      job.flags |= GroupJob::kPadding;
    }
    writer.put(job, lane_ == 0);
  }

  const GemmArguments& arguments_;
  BlockPlace place_;
  u32 lane_;
  u32 base_ = 0;     // first block of the window
  u32 first_ = 0;    // first tile of the window
  u32 through_ = 0;  // tiles of the window up to and with those of the lane's runs
  u32 starts_ = 0;   // bit i: a run begins with the lane's block i
};

}  // namespace deepgemm
