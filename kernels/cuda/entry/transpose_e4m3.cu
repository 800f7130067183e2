// [rows, columns] bytes to [columns, rows], for a group of matrices, and their scales in the same
// launch: the blocks of threads behind those of the values copy the scales. config.cuh is generated
// (TransposeConfig).
//
// A block of threads reads a tile in words, turns 4 x 4 bytes at a time in registers, and collects
// the columns in shared memory, so that reads and writes both move whole lines of 128 bytes.
#include "base/choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "quantize/transpose_arguments.cuh"
#include "quantize/transposed_tile.cuh"

namespace deepgemm {

constexpr u32 kThreads = 256;
constexpr u32 kLanes = 8;  // threads side by side on 128 bytes of a row
constexpr u32 kQuadsPerStep = kThreads / kLanes;

// 16 bytes of row `from`, those at `count` and behind it zero.
template <bool kAligned>
DEEPGEMM_DEVICE uint4 load_unit(const u8* from, u32 count) {
  if constexpr (kAligned) return *reinterpret_cast<const uint4*>(from);
  u32 words[4] = {};
#pragma unroll
  for (u32 b = 0; b < 16; ++b) {
    if (b < count) words[b / 4] |= static_cast<u32>(from[b]) << b % 4 * 8;
  }
  return {words[0], words[1], words[2], words[3]};
}

// Four rows by sixteen columns in the hands of one thread.
struct Patch {
  uint4 rows[4];

  template <bool kAligned>
  DEEPGEMM_DEVICE void load(const TransposeArguments& arguments, const u8* group, u32 row,
                            u32 column) {
#pragma unroll
    for (u32 r = 0; r < 4; ++r) {
      rows[r] = {0, 0, 0, 0};
      if (row + r >= arguments.rows || column >= arguments.columns) continue;
      rows[r] = load_unit<kAligned>(group + (row + r) * arguments.source_row_stride + column,
                                    arguments.columns - column);
    }
  }

  template <class Tile>
  DEEPGEMM_DEVICE void put(Tile& tile, u32 quad, u32 column) const {
#pragma unroll
    for (u32 w = 0; w < 4; ++w) {
      const auto word = [w](const uint4& v) {
        return w == 0 ? v.x : w == 1 ? v.y : w == 2 ? v.z : v.w;
      };
      u32 words[4] = {word(rows[0]), word(rows[1]), word(rows[2]), word(rows[3])};
      transpose_4x4(words);
#pragma unroll
      for (u32 i = 0; i < 4; ++i) tile.put(column + w * 4 + i, quad, words[i]);
    }
  }
};

template <class Config>
DEEPGEMM_DEVICE void transpose_tile(const TransposeArguments& arguments, auto& tile) {
  constexpr u32 kRows = Config::kTileRows;
  constexpr u32 kColumns = Config::kTileColumns;
  constexpr u32 kRowSteps = kRows / 4 / kQuadsPerStep;
  constexpr u32 kColumnSteps = kColumns / 128;
  const u32 row_tile = blockIdx.x / arguments.column_tiles % arguments.row_tiles;
  const u32 group = blockIdx.x / arguments.column_tiles / arguments.row_tiles;
  const u32 first_row = row_tile * kRows;
  const u32 first_column = blockIdx.x % arguments.column_tiles * kColumns;
  const u8* source = arguments.source + group * arguments.source_group_stride;
  const u32 quad = threadIdx.x / kLanes;
  const u32 column = threadIdx.x % kLanes * 16;

  Patch patches[kRowSteps][kColumnSteps];
#pragma unroll
  for (u32 i = 0; i < kRowSteps; ++i) {
#pragma unroll
    for (u32 j = 0; j < kColumnSteps; ++j) {
      patches[i][j].template load<Config::kAligned>(arguments, source,
                                                    first_row + (i * kQuadsPerStep + quad) * 4,
                                                    first_column + j * 128 + column);
    }
  }
#pragma unroll
  for (u32 i = 0; i < kRowSteps; ++i) {
#pragma unroll
    for (u32 j = 0; j < kColumnSteps; ++j) {
      patches[i][j].put(tile, i * kQuadsPerStep + quad, j * 128 + column);
    }
  }
  __syncthreads();
  u8* out = arguments.out + group * arguments.out_group_stride +
            first_column * arguments.out_row_stride + first_row;
  store_transposed<Config::kAligned, kThreads>(tile, out, arguments.out_row_stride,
                                               arguments.rows - first_row,
                                               arguments.columns - first_column);
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256, 6)
    transpose_e4m3(const __grid_constant__ deepgemm::TransposeArguments arguments) {
  using namespace deepgemm;
  using Config = TransposeConfig;
  __shared__ TransposedTile<Config::kTileRows, Config::kTileColumns> tile;
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  if (blockIdx.x < arguments.value_blocks) {
    transpose_tile<Config>(arguments, tile);
  } else {
    copy_scales(arguments.scales, blockIdx.x - arguments.value_blocks);
  }
}
