// D of a grouped product: a tile that its group fills goes through the copy engine as in a dense
// product; of the others only the group's rows are written, straight from registers.
#pragma once

#include "epilogue/direct_store.cuh"
#include "epilogue/row_store.cuh"
#include "epilogue/staged_store.cuh"

namespace deepgemm {

template <class Config>
class GroupStore {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE GroupStore(const GemmArguments& arguments, SharedStorage<Config>& shared,
                             const MathThread& me)
      : arguments_(arguments),
        me_(me),
        staged_(arguments, shared, me),
        direct_(arguments, shared, me) {}

  DEEPGEMM_DEVICE void store(const GroupJob& job, Sums<Config>& sums) const {
    const u32 slab = T::kLayout == Layout::kKGrouped ? job.group * arguments_.group_rows : 0;
    const Corner corner = {slab + job.left, job.right};
    const bool has_padding = (job.flags & GroupJob::kPadding) != 0;
    if constexpr (T::kLayout == Layout::kContiguous && !Config::kAccumulate) {
      if (has_padding) clear_padding(job, sums);
    }
    if constexpr (T::kStaged) {
      // The same for the whole warp group, which shares its panels.
      const u32 begin = job.left + me_.group * T::kGroupRows;
      const bool follows = T::kLayout != Layout::kPacked || begin >= job.token_begin;
      if (follows && begin + T::kGroupRows <= job.token_end) {
        staged_.store(corner, sums);
        return;
      }
    }
    if (!Config::kSwapped && T::kLayout != Layout::kKGrouped &&
        job.left + me_.group * T::kGroupRows >= job.token_end) {
      return;
    }
    const StoreBounds bounds = bounds_of(job, has_padding);
    if constexpr (T::kStaged && T::kLayout != Layout::kKGrouped) {
      RowStore<Config>(arguments_, me_).store(corner, bounds, sums);
    } else {
      direct_.store({job.left, job.right}, bounds, sums);
    }
  }

  DEEPGEMM_DEVICE void finish() const {
    if constexpr (T::kStaged) staged_.finish();
  }

 private:
  DEEPGEMM_DEVICE StoreBounds bounds_of(const GroupJob& job, bool has_padding) const {
    StoreBounds bounds = {arguments_.left_extent, arguments_.right_extent, arguments_.direct_out,
                          has_padding ? static_cast<int>(job.group) : -1, job.token_begin};
    if constexpr (T::kLayout != Layout::kKGrouped) {
      (Config::kSwapped ? bounds.right_end : bounds.left_end) = job.token_end;
    } else {
      constexpr u32 kBytes = Config::kOut == Output::kF32 ? 4 : 2;
      const u64 rows = static_cast<u64>(job.group) * arguments_.group_rows;
      bounds.out = static_cast<u8*>(bounds.out) + rows * arguments_.out_stride * kBytes;
    }
    return bounds;
  }

  // Padding rows of D become zeros, whatever A has there.
  DEEPGEMM_DEVICE void clear_padding(const GroupJob& job, Sums<Config>& sums) const {
#pragma unroll
    for (int i = 0; i < T::kRowBlocks * 2; ++i) {
      const u32 row =
          job.left + me_.group * T::kGroupRows + i / 2 * 64 + i % 2 * 8 + me_.first_row();
      const bool kept = row < job.token_end &&
                        ptx::load(arguments_.group_data + row) == static_cast<int>(job.group);
      if (kept) continue;
#pragma unroll
      for (int split = 0; split < Config::kColumnSplits; ++split) {
        float(&chunk)[T::kChunkRegisters] = sums[i / 2 * Config::kColumnSplits + split];
#pragma unroll
        for (int r = 0; r < T::kChunkRegisters; ++r) {
          if (r % 4 / 2 == i % 2) chunk[r] = 0;
        }
      }
    }
  }

  const GemmArguments& arguments_;
  const MathThread& me_;
  StagedStore<Config> staged_;
  DirectStore<Config> direct_;
};

}  // namespace deepgemm
