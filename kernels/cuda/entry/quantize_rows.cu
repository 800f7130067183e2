// Cast to e4m3 with 1x128 scales. config.cuh is generated (QuantizeConfig).
//
// A block of threads covers 32 rows by 4 scale blocks; 8 neighbouring threads share a scale block,
// 16 elements each, so that a warp reads one row's 4 blocks in one piece. Scales go through shared
// memory and leave as runs along the rows, as the M-major layout wants them.
#include "base/choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "quantize/arguments.cuh"
#include "quantize/elements.cuh"

namespace deepgemm {

constexpr int kTileRows = 32;
constexpr int kTileBlocks = 4;
constexpr int kWarps = 8;
constexpr int kLanesPerBlock = 8;
constexpr int kRowsPerWarp = kTileRows / kWarps;

// Rows that a thread holds at a time: enough reads in flight, few enough registers.
template <class Config>
constexpr int kRowsHeld = Config::kSource == Source::kF32 ? 2 : 4;

template <class Config>
DEEPGEMM_DEVICE void quantize_held_rows(const QuantizeArguments& arguments, u32 first_tile_row,
                                        BlockScale (&scales)[kTileBlocks][kTileRows]) {
  using Vector = Elements<Config::kSource>;
  constexpr int kVectors = 16 / Vector::kCount;
  const u32 lane = threadIdx.x % kLanesPerBlock;
  const u32 block = threadIdx.x % kWarpThreads / kLanesPerBlock;
  const u32 first_column = (blockIdx.y * kTileBlocks + block) * kScaleBlock;
  const u32 first_row = blockIdx.x * kTileRows + first_tile_row;
  const auto column = [&](int v) {
    return first_column + (v * kLanesPerBlock + lane) * Vector::kCount;
  };
  const auto end_of = [&](u32 row) { return row < arguments.rows ? arguments.columns : 0; };

  Vector data[kRowsHeld<Config>][kVectors];
#pragma unroll
  for (int r = 0; r < kRowsHeld<Config>; ++r) {
    const u8* row = static_cast<const u8*>(arguments.source) +
                    (first_row + r) * arguments.source_stride * Vector::kBytes;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      data[r][v].template load<Config::kAligned>(row, column(v), end_of(first_row + r));
    }
  }
#pragma unroll
  for (int r = 0; r < kRowsHeld<Config>; ++r) {
    u32 amax = 0;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) amax = most(amax, data[r][v].largest_finite());
#pragma unroll
    for (int step = kLanesPerBlock / 2; step > 0; step /= 2) {
      amax = most(amax, __shfl_xor_sync(0xffffffffu, amax, step));
    }
    const BlockScale scale = scale_of<Config::kUe8m0>(amax);
    if (lane == 0) scales[block][first_tile_row + r] = scale;
    u8* row = arguments.values + (first_row + r) * arguments.values_stride;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
      store_codes<Config::kSource, Config::kAligned>(row, column(v), end_of(first_row + r),
                                                     data[r][v].codes(scale.inverse));
    }
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256)
    quantize_rows(const __grid_constant__ deepgemm::QuantizeArguments arguments) {
  using namespace deepgemm;
  using Config = QuantizeConfig;
  __shared__ BlockScale scales[kTileBlocks][kTileRows];
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const u32 first_tile_row = threadIdx.x / kWarpThreads * kRowsPerWarp;
  for (int r = 0; r < kRowsPerWarp; r += kRowsHeld<Config>) {
    quantize_held_rows<Config>(arguments, first_tile_row + r, scales);
  }
  __syncthreads();
  const u32 block = threadIdx.x / kTileRows;
  if (block >= kTileBlocks) return;
  const u32 row = blockIdx.x * kTileRows + threadIdx.x % kTileRows;
  const u32 column = blockIdx.y * kTileBlocks + block;
  if (row >= arguments.padded_rows || column * kScaleBlock >= arguments.columns) return;
  store_scale<Config::kUe8m0>(
      arguments.scales, row * arguments.scale_row_stride + column * arguments.scale_column_stride,
      scales[block][threadIdx.x % kTileRows], row >= arguments.grid_rows);
}
