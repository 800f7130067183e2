// The scales of one K block, as a math thread needs them, and promotion: partial sum x scaleA x
// scaleB, added in f32.
#pragma once

#include "pipeline/math_thread.cuh"
#include "pipeline/storage.cuh"
#include "pipeline/work.cuh"
#include "ptx/control.cuh"
#include "ptx/memory.cuh"

namespace deepgemm {

// Scales of 128x128 blocks, of which a warp group needs few. Memory is further away than one K
// block lasts, so that lane i of a warp reads the scale of the i-th K block of the next burst while
// this one runs; a shuffle hands it to the other lanes.
template <class Config>
class BlockScales {
  using T = Tile<Config>;

 public:
  static constexpr int kCount = T::kLeftVectors ? T::kRightBlocks : T::kRowBlocks;
  static constexpr int kValues = most(kCount, 1);

  DEEPGEMM_DEVICE BlockScales(const GemmArguments& arguments, const TileCorner<Config>& corner,
                              const MathThread& me, const Segment& segment)
      : scales_(arguments.block_scales), last_(ptx::uniform(most(segment.k_end, 1u) - 1)) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const u32 extent = T::kLeftVectors ? arguments.right_extent : arguments.left_extent;
      const u32 row = T::kLeftVectors ? corner.right + i * kScaleBlock
                                      : corner.left + me.group * T::kGroupRows + i * 64;
      // Past the operand's end the partial sums are zero, and any scale will do.
      const u32 block = least(row, extent - 1) / kScaleBlock;
      row_[i] = block_scale_row<Config>(arguments, corner, block);
    }
    read(segment.k_begin);
  }

  // Begins a burst of at most as many K blocks as a warp has lanes.
  DEEPGEMM_DEVICE void begin() {
#pragma unroll
    for (int i = 0; i < kCount; ++i) now_[i] = next_[i];
  }

  // The scales of the burst's K block number `block`.
  DEEPGEMM_DEVICE void take(int block, float (&values)[kValues]) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) values[i] = __shfl_sync(0xffffffffu, now_[i], block);
  }

  // Asks for the scales of the burst that starts at `k_block`; without K blocks, for the first
  // ones.
  DEEPGEMM_DEVICE void read(u32 k_block) {
    const u32 mine = least(k_block + threadIdx.x % kWarpThreads, last_);
#pragma unroll
    for (int i = 0; i < kCount; ++i) next_[i] = ptx::load(scales_ + (row_[i] + mine));
  }

 private:
  const float* scales_;
  u32 row_[kValues];
  float now_[kValues];
  float next_[kValues];
  u32 last_;
};

// What promotion of one K block needs in registers.
template <class Config>
struct StepScales {
  using T = Tile<Config>;

  float left[T::kRowBlocks][2];  // of the thread's two rows in each row block
  float block[BlockScales<Config>::kValues];
  // 1x128 scales of the tile's columns, every fourth pair of them the thread's: in shared memory,
  // and where there is room, read while the products run.
  const float2* right;
  float2 held[T::kHoldsColumns ? T::kChunkRegisters / 4 : 1];

  DEEPGEMM_DEVICE void load(const SharedStorage<Config>& shared, u32 stage, const MathThread& me) {
    right = reinterpret_cast<const float2*>(shared.right_scales[stage] + me.first_column());
    if constexpr (T::kHoldsColumns) {
#pragma unroll
      for (int i = 0; i < T::kChunkRegisters / 4; ++i) held[i] = right[i * 4];
    }
    if constexpr (T::kLeftVectors) {
      const float* rows = shared.left_scales[stage] + me.group * T::kGroupRows + me.first_row();
#pragma unroll
      for (int i = 0; i < T::kRowBlocks; ++i) {
        left[i][0] = rows[i * 64];
        left[i][1] = rows[i * 64 + 8];
      }
    }
  }
};

// Promotion returns bits that depend on every scale it has read from shared memory.

// sum += partial * row scale * block scale. Columns of 16 never straddle two blocks.
template <class Config, int kRegisters>
DEEPGEMM_DEVICE u32 promote_blocks(float (&sum)[kRegisters], const float (&partial)[kRegisters],
                                   const float (&left)[2], const float* block, u32 offset,
                                   int first_column) {
  using T = Tile<Config>;
  float scale[T::kRightBlocks][2];
#pragma unroll
  for (int i = 0; i < T::kRightBlocks; ++i) {
    scale[i][0] = left[0] * block[i];
    scale[i][1] = left[1] * block[i];
  }
#pragma unroll
  for (int r = 0; r < kRegisters; r += 4) {
    const int column = first_column + r * 2;
    float s0 = scale[0][0];
    float s1 = scale[0][1];
#pragma unroll
    for (int i = 1; i < T::kRightBlocks; ++i) {
      const bool within = T::kRightGrain == kScaleBlock
                              ? column >= i * kScaleBlock
                              : static_cast<int>(offset) >= i * kScaleBlock - column / 16 * 16;
      s0 = within ? scale[i][0] : s0;
      s1 = within ? scale[i][1] : s1;
    }
    sum[r] += partial[r] * s0;
    sum[r + 1] += partial[r + 1] * s0;
    sum[r + 2] += partial[r + 2] * s1;
    sum[r + 3] += partial[r + 3] * s1;
  }
  return __float_as_uint(sum[0]) | __float_as_uint(sum[2]);
}

// sum += partial * row scale * column scale. The thread's pairs of columns are kStep apart.
template <int kStep, int kRegisters>
DEEPGEMM_DEVICE u32 promote_vectors(float (&sum)[kRegisters], const float (&partial)[kRegisters],
                                    float left0, float left1, const float2* right) {
  u32 read = __float_as_uint(left0) | __float_as_uint(left1);
#pragma unroll
  for (int r = 0; r < kRegisters; r += 4) {
    const float2 columns = right[r / 4 * kStep];
    sum[r] += partial[r] * (left0 * columns.x);
    sum[r + 1] += partial[r + 1] * (left0 * columns.y);
    sum[r + 2] += partial[r + 2] * (left1 * columns.x);
    sum[r + 3] += partial[r + 3] * (left1 * columns.y);
    read |= __float_as_uint(columns.x);  // one load with columns.y
  }
  return read;
}

template <class Config>
DEEPGEMM_DEVICE u32 promote(float (&sum)[Tile<Config>::kChunkRegisters],
                            const float (&partial)[Tile<Config>::kChunkRegisters],
                            const StepScales<Config>& scales, u32 offset, int chunk) {
  using T = Tile<Config>;
  const int row_block = chunk / Config::kColumnSplits;
  const int column = chunk % Config::kColumnSplits * T::kChunkColumns;
  if constexpr (!T::kRightVectors) {
    return promote_blocks<Config>(sum, partial, scales.left[row_block], scales.block, offset,
                                  column);
  } else if constexpr (T::kHoldsColumns) {
    return promote_vectors<1>(sum, partial, scales.left[0][0], scales.left[0][1], scales.held);
  } else if constexpr (T::kLeftVectors) {
    return promote_vectors<4>(sum, partial, scales.left[row_block][0], scales.left[row_block][1],
                              scales.right + column / 2);
  } else {
    const float weight = scales.block[row_block];
    return promote_vectors<4>(sum, partial, weight, weight, scales.right + column / 2);
  }
}

}  // namespace deepgemm
