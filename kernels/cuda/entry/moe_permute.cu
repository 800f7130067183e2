// Copies quantised tokens, with their 1x128 scales, to the rows of their experts. config.cuh is
// generated (PermuteConfig).
//
// A block reads a piece of one token once and writes it to all of the token's rows. Blocks after
// the tokens' turn the padding rows of the contiguous layout into zeros.
#include "config.cuh"
#include "moe/arguments.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

constexpr int kThreads = 128;
constexpr int kBytes = 16;  // of a thread
constexpr int kPiece = kThreads * kBytes;
constexpr int kPieceScales = kPiece / kScaleBlock;
constexpr bool kAligned = PermuteConfig::kAligned;

template <bool kUe8m0>
struct StoredScale {
  using Type = float;
};
template <>
struct StoredScale<true> {
  using Type = u8;
};
using Scale = StoredScale<PermuteConfig::kUe8m0>::Type;

struct Bytes {
  uint4 vector;

  DEEPGEMM_DEVICE void load(const u8* row, u32 column, u32 end) {
    vector = make_uint4(0, 0, 0, 0);
    if (column >= end) return;
    if constexpr (kAligned) {
      vector = *reinterpret_cast<const uint4*>(row + column);
    } else {
      u32 words[4] = {};
#pragma unroll
      for (int i = 0; i < kBytes; ++i) {
        if (column + i < end) words[i / 4] |= static_cast<u32>(row[column + i]) << i % 4 * 8;
      }
      vector = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }

  DEEPGEMM_DEVICE void store(u8* row, u32 column, u32 end) const {
    if (column >= end) return;
    if constexpr (kAligned) {
      *reinterpret_cast<uint4*>(row + column) = vector;
    } else {
      const u32 words[4] = {vector.x, vector.y, vector.z, vector.w};
#pragma unroll
      for (int i = 0; i < kBytes; ++i) {
        if (column + i < end) row[column + i] = static_cast<u8>(words[i / 4] >> i % 4 * 8);
      }
    }
  }
};

DEEPGEMM_DEVICE i64 scale_at(const PermuteArguments& arguments, u32 row, u32 column) {
  const u32 group = row / arguments.rows_per_group;
  const u32 place = row - group * arguments.rows_per_group;
  return group * arguments.out_scale_group_stride + place * arguments.out_scale_row_stride +
         column * arguments.out_scale_column_stride;
}

DEEPGEMM_DEVICE void copy_token(const PermuteArguments& arguments, u32 token) {
  const u32 column = blockIdx.y * kPiece + threadIdx.x * kBytes;
  const u32 scale_column = blockIdx.y * kPieceScales + threadIdx.x;
  const bool has_scale =
      threadIdx.x < kPieceScales && scale_column * kScaleBlock < arguments.columns;
  Bytes bytes;
  bytes.load(arguments.source + token * arguments.source_stride, column, arguments.columns);
  Scale scale{};
  if (has_scale) {
    scale = static_cast<const Scale*>(
        arguments.source_scales)[token * arguments.source_scale_row_stride +
                                 scale_column * arguments.source_scale_column_stride];
  }
  const Row* rows = arguments.destination + static_cast<u64>(token) * arguments.top_k;
#pragma unroll 8
  for (u32 j = 0; j < arguments.top_k; ++j) {
    const u32 row = static_cast<u32>(rows[j]);
    if (row >= arguments.out_rows) continue;  // -1 too
    bytes.store(arguments.out + row * arguments.out_stride, column, arguments.columns);
    if (has_scale) {
      static_cast<Scale*>(arguments.out_scales)[scale_at(arguments, row, scale_column)] = scale;
    }
  }
}

DEEPGEMM_DEVICE void clear_row(const PermuteArguments& arguments, u32 row) {
  if (arguments.group_index[row] >= 0) return;
  const u32 column = blockIdx.y * kPiece + threadIdx.x * kBytes;
  const Bytes zeros{make_uint4(0, 0, 0, 0)};
  zeros.store(arguments.out + row * arguments.out_stride, column, arguments.columns);
  const u32 scale_column = blockIdx.y * kPieceScales + threadIdx.x;
  if (threadIdx.x >= kPieceScales || scale_column * kScaleBlock >= arguments.columns) return;
  static_cast<Scale*>(arguments.out_scales)[scale_at(arguments, row, scale_column)] = Scale{};
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(deepgemm::kThreads)
    moe_permute(const __grid_constant__ deepgemm::PermuteArguments arguments) {
  using namespace deepgemm;
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  if (blockIdx.x < arguments.tokens) {
    copy_token(arguments, blockIdx.x);
  } else {
    clear_row(arguments, blockIdx.x - arguments.tokens);
  }
}
