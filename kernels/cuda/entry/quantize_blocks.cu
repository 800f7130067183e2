// Cast to e4m3 with 128x128 scales, one block of threads per block of scale: the elements stay in
// registers between the search for the maximum and the encoding. config.cuh is generated
// (QuantizeConfig).
#include "base/choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "quantize/arguments.cuh"
#include "quantize/elements.cuh"

namespace deepgemm {

constexpr int kWarps = 8;
constexpr int kRowsPerWarp = kScaleBlock / kWarps;

// The largest of all threads' values.
DEEPGEMM_DEVICE u32 largest_of_block(u32 value, u32 (&of_warps)[kWarps]) {
  const u32 of_warp = __reduce_max_sync(0xffffffffu, value);
  if (threadIdx.x % kWarpThreads == 0) of_warps[threadIdx.x / kWarpThreads] = of_warp;
  __syncthreads();
  u32 largest = 0;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) largest = most(largest, of_warps[i]);
  return largest;
}

template <class Config>
DEEPGEMM_DEVICE void quantize_block(const QuantizeArguments& arguments, u32 (&of_warps)[kWarps]) {
  using Vector = Elements<Config::kSource>;
  constexpr int kLanesPerRow = kScaleBlock / Vector::kCount;
  constexpr int kRowsPerStep = kWarpThreads / kLanesPerRow;
  constexpr int kSteps = kRowsPerWarp / kRowsPerStep;
  const u32 lane = threadIdx.x % kWarpThreads;
  const u32 column = blockIdx.y * kScaleBlock + lane % kLanesPerRow * Vector::kCount;
  const u32 first_row =
      blockIdx.x * kScaleBlock + threadIdx.x / kWarpThreads * kRowsPerWarp + lane / kLanesPerRow;
  const auto end_of = [&](u32 row) { return row < arguments.rows ? arguments.columns : 0; };

  Vector data[kSteps];
  u32 amax = 0;
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const u32 row = first_row + s * kRowsPerStep;
    const u8* from =
        static_cast<const u8*>(arguments.source) + row * arguments.source_stride * Vector::kBytes;
    data[s].template load<Config::kAligned>(from, column, end_of(row));
  }
#pragma unroll
  for (int s = 0; s < kSteps; ++s) amax = most(amax, data[s].largest_finite());
  const BlockScale scale = scale_of<Config::kUe8m0>(largest_of_block(amax, of_warps));
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const u32 row = first_row + s * kRowsPerStep;
    store_codes<Config::kSource, Config::kAligned>(arguments.values + row * arguments.values_stride,
                                                   column, end_of(row),
                                                   data[s].codes(scale.inverse));
  }
  if (threadIdx.x != 0) return;
  store_scale<Config::kUe8m0>(
      arguments.scales,
      blockIdx.x * arguments.scale_row_stride + blockIdx.y * arguments.scale_column_stride, scale,
      false);
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256)
    quantize_blocks(const __grid_constant__ deepgemm::QuantizeArguments arguments) {
  __shared__ deepgemm::u32 of_warps[deepgemm::kWarps];
  deepgemm::ptx::allow_next_kernel();
  deepgemm::ptx::wait_for_previous_kernel();
  deepgemm::quantize_block<deepgemm::QuantizeConfig>(arguments, of_warps);
}
