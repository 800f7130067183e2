// Tiles of the contiguous layout: they stand still, and groupIndex tells which group's weights they
// need. No 128 rows have two groups, but a taller tile can: then it becomes two jobs, the second of
// which starts where its group does.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/work.cuh"
#include "ptx/memory.cuh"

namespace deepgemm {

template <class Config>
class AlignedTiles {
  using T = Tile<Config>;
  static constexpr u32 kTokens = T::kLeft * (T::kSharesRight ? T::kCluster : 1);
  static constexpr u32 kPart = least(kTokens, 128u);  // rows of one group
  static constexpr u32 kParts = kTokens / kPart;
  static constexpr u32 kPerLane = kPart / kWarpThreads;
  static_assert(kParts <= 2 && kParts * kPart == kTokens, "a tile has 64, 128 or 256 rows");

 public:
  DEEPGEMM_DEVICE AlignedTiles(const GemmArguments& arguments, BlockPlace place)
      : arguments_(arguments), place_(place), lane_(threadIdx.x % kWarpThreads) {}

  DEEPGEMM_DEVICE u32 count() const { return arguments_.left_tiles * arguments_.right_tiles; }

  DEEPGEMM_DEVICE void put(const Segment& segment, GroupJob job, JobWriter& writer) {
    const TilePlace at =
        place_of_tile(segment.tile, arguments_.left_tiles, arguments_.right_tiles, arguments_.band);
    job.right = at.right * T::kRight * (T::kSharesLeft ? T::kCluster : 1) +
                (T::kSharesLeft ? place_.rank * T::kRight : 0);
    const u32 row = at.left * kTokens;
    const Part first = part_at(row);
    if constexpr (kParts == 1) {
      put_rows(row, first, job, writer);
    } else {
      const Part second = part_at(row + kPart);
      if (first.group == second.group || first.group < 0 || second.group < 0) {
        const bool is_mixed = first.group != second.group || first.is_mixed || second.is_mixed;
        const u32 work_end = second.group < 0 ? first.work_end : second.work_end;
        put_rows(row, {most(first.group, second.group), second.end, work_end, is_mixed}, job,
                 writer);
      } else {
        put_rows(row, first, job, writer);
        put_rows(row + kPart, second, job, writer);
      }
    }
  }

 private:
  struct Part {
    int group;      // -1: padding alone
    u32 end;        // its rows are below
    u32 work_end;   // and those of the group below this one
    bool is_mixed;  // has padding, as far as is known
  };

  DEEPGEMM_DEVICE Part part_at(u32 row) const {
    int own[kPerLane];
#pragma unroll
    for (u32 i = 0; i < kPerLane; ++i) {
      const u32 at = row + i * kWarpThreads + lane_;
      own[i] = at < arguments_.left_extent ? ptx::load_constant(arguments_.group_data + at) : -1;
    }
    int group = -1;
#pragma unroll
    for (u32 i = 0; i < kPerLane; ++i) {
      if (own[i] < static_cast<int>(arguments_.groups)) group = most(group, own[i]);
    }
    group = __reduce_max_sync(0xffffffffu, group);
    bool others = false;
    u32 work_end = 0;
#pragma unroll
    for (u32 i = 0; i < kPerLane; ++i) {
      others = others || own[i] != group;
      if (own[i] == group) work_end = row + i * kWarpThreads + lane_ + 1;
    }
    return {group, least(row + kPart, arguments_.left_extent),
            __reduce_max_sync(0xffffffffu, work_end), __any_sync(0xffffffffu, others) != 0};
  }

  // `part` may stand for both parts of the tile.
  DEEPGEMM_DEVICE void put_rows(u32 row, Part part, GroupJob job, JobWriter& writer) const {
    job.left = row + (T::kSharesRight ? place_.rank * T::kLeft : 0);
    job.group = most(part.group, 0);
    job.token_end = part.end;
    job.work_end = part.work_end;
    if (part.is_mixed) job.flags |= GroupJob::kPadding;
    if (part.group < 0) {  // zeros, unless D stays as it is
      if constexpr (Config::kAccumulate) return;
      if (job.k_begin != 0) return;  // shared along K: one worker stores them
      job.k_begin = 0;
      job.k_end = 0;
      job.k_blocks = 0;
      job.flags &= ~GroupJob::kPadding;
    }
    writer.put(job, lane_ == 0);
  }

  const GemmArguments& arguments_;
  BlockPlace place_;
  u32 lane_;
};

}  // namespace deepgemm
