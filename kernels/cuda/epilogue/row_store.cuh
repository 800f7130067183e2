// bf16 rows of a tile that its group does not fill, straight from registers. A quad of threads
// holds 8 columns of a row in pairs; four such groups of columns change hands between the four, so
// that each writes 16 bytes and whole sectors go out.
#pragma once

#include "epilogue/direct_store.cuh"

namespace deepgemm {

// Lane q of a quad gives words[i] for place i and takes words[q] of lane i.
DEEPGEMM_DEVICE void transpose_quad(u32 (&words)[4], u32 lane) {
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool upper = (lane & step) != 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i & step) continue;
      const u32 taken = __shfl_xor_sync(0xffffffffu, upper ? words[i] : words[i + step], step);
      (upper ? words[i] : words[i + step]) = taken;
    }
  }
}

template <class Config>
class RowStore {
  using T = Tile<Config>;
  static constexpr int kGroups = T::kChunkColumns / 8;  // of columns

 public:
  DEEPGEMM_DEVICE RowStore(const GemmArguments& arguments, const MathThread& me)
      : arguments_(arguments), me_(me) {}

  // All threads of the warp group.
  DEEPGEMM_DEVICE void store(Corner corner, const StoreBounds& bounds,
                             const Sums<Config>& sums) const {
#pragma unroll
    for (int chunk = 0; chunk < T::kChunks; ++chunk) {
      const u32 column = corner.right + chunk % Config::kColumnSplits * T::kChunkColumns;
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const u32 row = corner.left + me_.group * T::kGroupRows +
                        chunk / Config::kColumnSplits * 64 + half * 8 + me_.first_row();
        store_row(row, column, half, bounds, sums[chunk]);
      }
    }
  }

 private:
  DEEPGEMM_DEVICE void store_row(u32 row, u32 column, int half, const StoreBounds& bounds,
                                 const float (&values)[T::kChunkRegisters]) const {
    const bool covers = row >= bounds.token_begin && row < bounds.left_end;
    u16* to = static_cast<u16*>(bounds.out) + row * arguments_.out_stride + column;
    const u32 quad_lane = me_.lane % 4;
#pragma unroll
    for (int first = 0; first < kGroups; first += 4) {
      if (first + 4 <= kGroups) {
        u32 words[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) words[i] = pair_of(values, first + i, half);
        transpose_quad(words, me_.lane);
        const u32 at = (first + quad_lane) * 8;
        if (covers && column + at < bounds.right_end) {
          *reinterpret_cast<uint4*>(to + at) = {words[0], words[1], words[2], words[3]};
        }
      } else {
#pragma unroll
        for (int group = first; group < kGroups; ++group) {
          const u32 at = group * 8 + me_.first_column();
          if (covers && column + at < bounds.right_end) {
            *reinterpret_cast<u32*>(to + at) = pair_of(values, group, half);
          }
        }
      }
    }
  }

  DEEPGEMM_DEVICE static u32 pair_of(const float (&values)[T::kChunkRegisters], int group,
                                     int half) {
    return ptx::pack_bf16(values[group * 4 + half * 2], values[group * 4 + half * 2 + 1]);
  }

  const GemmArguments& arguments_;
  const MathThread& me_;
};

}  // namespace deepgemm
