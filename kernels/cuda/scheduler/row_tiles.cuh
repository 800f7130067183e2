// Tiles of the packed and the masked layout. Groups are walked in windows of 32 x kPerLane: a lane
// counts the tiles of its groups, and a scan over the warp tells where the tiles of each begin. The
// lane that has a tile fills in the job.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/work.cuh"
#include "ptx/memory.cuh"
#include "scheduler/group_rows.cuh"

namespace deepgemm {

template <class Config>
class RowTiles {
  using T = Tile<Config>;
  static constexpr u32 kPerLane = 8;
  static constexpr u32 kWindow = kPerLane * kWarpThreads;
  // Tokens of a tile of the cluster, and of the block's part of it.
  static constexpr u32 kBlockTokens = Config::kSwapped ? T::kRight : T::kLeft;
  static constexpr u32 kTokens = kBlockTokens * (T::kSharesRight ? T::kCluster : 1);
  // Masked groups begin anew in the scales: every tile is aligned.
  static constexpr u32 kScaleGrain = T::kLayout == Layout::kPacked ? 4 : 1;
  static_assert(!Config::kSwapped || T::kCluster == 1, "swapped tiles come without clusters");

 public:
  DEEPGEMM_DEVICE RowTiles(const GemmArguments& arguments, BlockPlace place)
      : arguments_(arguments), place_(place), lane_(threadIdx.x % kWarpThreads) {
    open(0, 0);
  }

  // The number of all tiles; at most 2^32 - 1 for groups that do not overlap.
  DEEPGEMM_DEVICE u32 count() {
    while (base_ + kWindow < arguments_.groups) open(base_ + kWindow, first_ + tiles_);
    return first_ + tiles_;
  }

  DEEPGEMM_DEVICE void put(const Segment& segment, GroupJob job, JobWriter& writer) {
    if (segment.tile < first_) open(0, 0);
    while (segment.tile >= first_ + tiles_) open(base_ + kWindow, first_ + tiles_);
    const u32 within = segment.tile - first_;
    const u32 owner = __ffs(__ballot_sync(0xffffffffu, before_ + own_ > within)) - 1;
    if (lane_ == owner) fill(job, within - before_);
    writer.put(job, lane_ == owner);
  }

 private:
  DEEPGEMM_DEVICE GroupRows rows_of(u32 group) const {
    const int* data = arguments_.group_data + group;
    if constexpr (T::kLayout == Layout::kMasked) {
      return masked_rows(ptx::load(data), group, arguments_.group_rows);
    } else {
      const u32 rows = Config::kSwapped ? arguments_.right_extent : arguments_.left_extent;
      return packed_rows(ptx::load(data), ptx::load(data + 1), rows);
    }
  }

  DEEPGEMM_DEVICE u32 weight_tiles() const {
    return Config::kSwapped ? arguments_.left_tiles : arguments_.right_tiles;
  }

  // The copy engine takes scales from multiples of 16 bytes on: the first tile of a packed group
  // begins with up to three rows of the group before.
  DEEPGEMM_DEVICE static u32 token_tiles_of(GroupRows rows) {
    if (rows.count == 0) return 0;
    return ceil_div(rows.begin % kScaleGrain + rows.count, kTokens);
  }

  DEEPGEMM_DEVICE u32 tiles_of(GroupRows rows) const {
    return token_tiles_of(rows) * weight_tiles();
  }

  // The window of groups from `base` on, whose first tile is number `first`.
  DEEPGEMM_DEVICE void open(u32 base, u32 first) {
    base_ = base;
    first_ = first;
    own_ = 0;
#pragma unroll
    for (u32 i = 0; i < kPerLane; ++i) {
      const u32 group = base + lane_ * kPerLane + i;
      if (group < arguments_.groups) own_ += tiles_of(rows_of(group));
    }
    u32 through = own_;  // tiles of this lane and those below
#pragma unroll
    for (u32 step = 1; step < kWarpThreads; step *= 2) {
      const u32 below = __shfl_up_sync(0xffffffffu, through, step);
      if (lane_ >= step) through += below;
    }
    before_ = through - own_;
    tiles_ = __shfl_sync(0xffffffffu, through, kWarpThreads - 1);
  }

  // `tile` counts from the first tile of the lane's groups.
  DEEPGEMM_DEVICE void fill(GroupJob& job, u32 tile) const {
    u32 group = base_ + lane_ * kPerLane;
    GroupRows rows = rows_of(group);
    for (u32 tiles = tiles_of(rows); tile >= tiles; tiles = tiles_of(rows)) {
      tile -= tiles;
      rows = rows_of(++group);
    }
    const u32 token_tiles = token_tiles_of(rows);
    const u32 first_row = rows.begin - rows.begin % kScaleGrain;
    const TilePlace at = Config::kSwapped
                             ? place_of_tile(tile, weight_tiles(), token_tiles, arguments_.band)
                             : place_of_tile(tile, token_tiles, weight_tiles(), arguments_.band);
    job.group = group;
    job.token_begin = rows.begin;
    job.token_end = rows.begin + rows.count;
    job.work_end = job.token_end;
    if constexpr (Config::kSwapped) {
      job.left = at.left * T::kLeft;
      job.right = first_row + at.right * kTokens;
    } else {
      job.left = first_row + at.left * kTokens + (T::kSharesRight ? place_.rank * T::kLeft : 0);
      job.right = at.right * T::kRight * (T::kSharesLeft ? T::kCluster : 1) +
                  (T::kSharesLeft ? place_.rank * T::kRight : 0);
    }
  }

  const GemmArguments& arguments_;
  BlockPlace place_;
  u32 lane_;
  u32 base_;    // first group of the window
  u32 first_;   // first tile of the window
  u32 tiles_;   // tiles of the window
  u32 own_;     // tiles of the lane's groups
  u32 before_;  // tiles of the window before them
};

}  // namespace deepgemm
