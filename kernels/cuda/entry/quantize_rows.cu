// Cast to e4m3 with 1x128 scales. config.cuh is generated (QuantizeConfig).
//
// A block of threads covers 8 rows by 4 scale blocks, a warp one of the rows; 8 neighbouring
// threads share a scale block, 16 elements each. Tiles this small keep many reads in flight with
// few rows, too. Scales go through shared memory and leave as runs along the rows, as the M-major
// layout wants them.
#include "base/cast_choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "quantize/arguments.cuh"
#include "quantize/elements.cuh"
#include "quantize/scale_rule.cuh"

namespace deepgemm {

constexpr u32 kTileRows = 8;
constexpr u32 kTileBlocks = 4;
constexpr u32 kLanesPerBlock = 8;

// Blocks of threads that a multiprocessor holds at once.
template <class Config>
constexpr int kBlocksPerSm = Config::kSource == Source::kF32 ? 5 : 8;

// This thread's part of a scale block.
template <class Config>
struct BlockPart {
  using Vector = Elements<Config::kSource>;
  using Magnitude = typename Vector::Magnitude;
  static constexpr int kVectors = 16 / Vector::kCount;

  Vector data[kVectors];
  bool special;  // something here is not finite

  static DEEPGEMM_DEVICE u32 column(u32 block, int v) {
    return block * kScaleBlock +
           (v * kLanesPerBlock + threadIdx.x % kLanesPerBlock) * Vector::kCount;
  }

  // The bits of the largest finite magnitude, in the format of the source.
  DEEPGEMM_DEVICE u32 largest() {
    u32 all = 0;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) all = Magnitude::larger(all, data[v].largest());
    special = !Magnitude::all_finite(all);
    if (special) {
      all = 0;
#pragma unroll
      for (int v = 0; v < kVectors; ++v) all = Magnitude::larger(all, data[v].largest_finite());
    }
    return Magnitude::folded(all);
  }
};

// Casts the part of block `block` of row `row`; its scale is the same for all threads of the block.
template <class Config>
DEEPGEMM_DEVICE float quantize_part(const QuantizeArguments& arguments, u32 group, u32 row,
                                    u32 block) {
  using Part = BlockPart<Config>;
  const u32 end = row < arguments.rows ? arguments.columns : 0;
  const i64 first = group * arguments.source_group_stride + row * arguments.source_row_stride;
  const u8* source = static_cast<const u8*>(arguments.source) + first * Part::Vector::kBytes;
  Part part;
#pragma unroll
  for (int v = 0; v < Part::kVectors; ++v) {
    part.data[v].template load<Config::kAligned>(source, Part::column(block, v), end);
  }
  u32 largest = part.largest();
#pragma unroll
  for (u32 step = kLanesPerBlock / 2; step > 0; step /= 2) {
    largest = most(largest, __shfl_xor_sync(0xffffffffu, largest, step));
  }
  const BlockScale scale = scale_of(Part::Magnitude::as_f32(largest), arguments.scales.ue8m0 != 0);
  u8* values =
      arguments.values + group * arguments.values_group_stride + row * arguments.values_row_stride;
#pragma unroll
  for (int v = 0; v < Part::kVectors; ++v) {
    const u64 codes = part.data[v].codes(part.special, [&](int) { return scale.inverse; });
    store_codes<Config::kSource, Config::kAligned>(values, Part::column(block, v), end, codes);
  }
  return scale.scale;
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256, deepgemm::kBlocksPerSm<deepgemm::QuantizeConfig>)
    quantize_rows(const __grid_constant__ deepgemm::QuantizeArguments arguments) {
  using namespace deepgemm;
  __shared__ float scales[kTileBlocks][kTileRows];
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const CastTile place(arguments.row_tiles, arguments.column_tiles);
  const u32 first_row = place.row_tile * kTileRows;
  const u32 first_block = place.column_tile * kTileBlocks;
  const u32 warp = threadIdx.x / kWarpThreads;
  const u32 block = threadIdx.x % kWarpThreads / kLanesPerBlock;
  scales[block][warp] =
      quantize_part<QuantizeConfig>(arguments, place.group, first_row + warp, first_block + block);
  __syncthreads();
  if (threadIdx.x >= kTileBlocks * kTileRows) return;
  const u32 row = first_row + threadIdx.x % kTileRows;
  const u32 column = first_block + threadIdx.x / kTileRows;
  if (row >= arguments.scales.rows || column >= arguments.scales.columns) return;
  write_cell(arguments.scales, place.group, row, column,
             scales[threadIdx.x / kTileRows][threadIdx.x % kTileRows]);
}
