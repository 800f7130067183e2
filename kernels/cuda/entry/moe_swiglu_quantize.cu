// silu(gate) * up of rows [gate | up], quantised to e4m3 with 1x128 scales. config.cuh is generated
// (SwigluConfig).
//
// A block of threads covers 8 or 32 rows by 4 scale blocks: 8 neighbouring threads share a scale
// block, 16 elements each, so that a warp reads pieces of one row. Neighbouring rows go to
// different warps, for groups of few rows. Scales leave through shared memory as runs along the
// rows, as the M-major layout wants them. Rows that hold no data are neither read nor written.
#include "base/choices.cuh"
#include "config.cuh"
#include "moe/arguments.cuh"
#include "moe/quantize_run.cuh"
#include "moe/silu.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

constexpr int kTileBlocks = 4;
constexpr int kWarps = 8;
constexpr int kTileRows = kWarps * SwigluConfig::kRowsPerWarp;
constexpr int kLanesPerBlock = 8;
constexpr int kRuns = 16 / kRun;  // of a thread in a row
constexpr Source kInput = SwigluConfig::kInput;
constexpr bool kAligned = SwigluConfig::kAligned;

// First column of a thread's run `i`.
DEEPGEMM_DEVICE u32 column_of(u32 block, int i) {
  return block * kScaleBlock + (i * kLanesPerBlock + threadIdx.x % kLanesPerBlock) * kRun;
}

// The activation of a thread's part of a row.
DEEPGEMM_DEVICE void activate(const SwigluArguments& arguments, u32 row, u32 block,
                              float (&values)[kRuns][kRun]) {
  const u32 columns = arguments.columns;
  const u8* gates =
      static_cast<const u8*>(arguments.input) + row * arguments.input_stride * kBytesOf<kInput>;
  const u8* ups = gates + static_cast<u64>(columns) * kBytesOf<kInput>;
  Run<kInput> gate[kRuns];
  Run<kInput> up[kRuns];
#pragma unroll
  for (int i = 0; i < kRuns; ++i) {
    gate[i].template load<kAligned>(gates, column_of(block, i), columns);
    up[i].template load<kAligned>(ups, column_of(block, i), columns);
  }
#pragma unroll
  for (int i = 0; i < kRuns; ++i) {
#pragma unroll
    for (int e = 0; e < kRun; ++e) values[i][e] = silu_times(gate[i].value(e), up[i].value(e));
  }
}

DEEPGEMM_DEVICE float quantize_row(const SwigluArguments& arguments, u32 row, u32 block) {
  float values[kRuns][kRun];
  activate(arguments, row, block, values);
  u32 amax = largest_finite(values);
#pragma unroll
  for (int step = kLanesPerBlock / 2; step > 0; step /= 2) {
    amax = most(amax, __shfl_xor_sync(0xffffffffu, amax, step));
  }
  const BlockScale scale = scale_of(amax, SwigluConfig::kUe8m0);
  u8* out = static_cast<u8*>(arguments.out) + row * arguments.out_stride;
#pragma unroll
  for (int i = 0; i < kRuns; ++i) {
    u32 codes[2];
    encode(values[i], scale.inverse, codes);
    store_codes_of_run<kAligned>(out, column_of(block, i), arguments.columns, codes);
  }
  return scale.scale;
}

DEEPGEMM_DEVICE void store_scale(const SwigluArguments& arguments, u32 row, u32 block,
                                 float scale) {
  const u32 group = row / arguments.set.rows_per_group;
  const u32 place = row - group * arguments.set.rows_per_group;
  const i64 at = group * arguments.scale_group_stride + place * arguments.scale_row_stride +
                 block * arguments.scale_column_stride;
  if constexpr (SwigluConfig::kUe8m0) {
    static_cast<u8*>(arguments.scales)[at] = static_cast<u8>(__float_as_uint(scale) >> 23);
  } else {
    static_cast<float*>(arguments.scales)[at] = scale;
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256)
    moe_swiglu_quantize(const __grid_constant__ deepgemm::SwigluArguments arguments) {
  using namespace deepgemm;
  __shared__ float scales[kTileBlocks][kTileRows];
  __shared__ bool is_held[kTileRows];
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const u32 first_row = blockIdx.x * kTileRows;
  const u32 limit = arguments.set.limit();
  if (first_row >= limit) return;
  const u32 block = threadIdx.x % kWarpThreads / kLanesPerBlock;
  u32 rows_held = 0;  // a bit per row, the same for the whole warp
#pragma unroll
  for (int r = 0; r < SwigluConfig::kRowsPerWarp; ++r) {
    const u32 row = first_row + r * kWarps + threadIdx.x / kWarpThreads;
    if (row < limit && arguments.set.holds(row)) rows_held |= 1u << r;
  }
#pragma unroll 1
  for (int r = 0; r < SwigluConfig::kRowsPerWarp; ++r) {
    const u32 tile_row = r * kWarps + threadIdx.x / kWarpThreads;
    if (threadIdx.x % kWarpThreads == 0) is_held[tile_row] = rows_held >> r & 1u;
    if ((rows_held >> r & 1u) == 0) continue;
    const float scale =
        quantize_row(arguments, first_row + tile_row, blockIdx.y * kTileBlocks + block);
    if (threadIdx.x % kLanesPerBlock == 0) scales[block][tile_row] = scale;
  }
  __syncthreads();
  const u32 tile_block = threadIdx.x / kTileRows;
  const u32 tile_row = threadIdx.x % kTileRows;
  const u32 column = blockIdx.y * kTileBlocks + tile_block;
  if (tile_block >= kTileBlocks || column * kScaleBlock >= arguments.columns) return;
  if (is_held[tile_row]) {
    store_scale(arguments, first_row + tile_row, column, scales[tile_block][tile_row]);
  }
}
