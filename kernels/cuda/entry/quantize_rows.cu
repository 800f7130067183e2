// Cast to e4m3 with 1x128 scales. config.cuh is generated (QuantizeConfig).
//
// A block of threads covers 32 rows by 4 scale blocks; 8 neighbouring threads share a scale block,
// 16 elements each, so that a warp reads one row's 4 blocks in one piece. Scales go through shared
// memory and leave as runs along the rows, as the M-major layout wants them.
#include "base/cast_choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "quantize/arguments.cuh"
#include "quantize/elements.cuh"
#include "quantize/scale_rule.cuh"

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
struct HeldRows {
  using Vector = Elements<Config::kSource>;
  using Magnitude = typename Vector::Magnitude;
  static constexpr int kRows = kRowsHeld<Config>;
  static constexpr int kVectors = 16 / Vector::kCount;

  Vector data[kRows][kVectors];

  DEEPGEMM_DEVICE u32 end_of(const QuantizeArguments& arguments, u32 row) const {
    return row < arguments.rows ? arguments.columns : 0;
  }

  static DEEPGEMM_DEVICE u32 column(u32 first, int v) {
    return first + (v * kLanesPerBlock + threadIdx.x % kLanesPerBlock) * Vector::kCount;
  }

  DEEPGEMM_DEVICE void load(const QuantizeArguments& arguments, const u8* source, u32 first_row,
                            u32 first_column) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const u8* row = source + (first_row + r) * arguments.source_row_stride * Vector::kBytes;
#pragma unroll
      for (int v = 0; v < kVectors; ++v) {
        data[r][v].template load<Config::kAligned>(row, column(first_column, v),
                                                   end_of(arguments, first_row + r));
      }
    }
  }

  // The bits of the largest finite magnitude of this thread's part of row r, in the format of the
  // source; `special` says whether something is not finite.
  DEEPGEMM_DEVICE u32 largest(int r, bool& special) const {
    u32 all = 0;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) all = Magnitude::larger(all, data[r][v].largest());
    special = !Magnitude::all_finite(all);
    if (special) {
      all = 0;
#pragma unroll
      for (int v = 0; v < kVectors; ++v) all = Magnitude::larger(all, data[r][v].largest_finite());
    }
    return Magnitude::folded(all);
  }
};

template <class Config>
DEEPGEMM_DEVICE void quantize_held_rows(const QuantizeArguments& arguments, const CastTile& place,
                                        u32 first_tile_row,
                                        float (&scales)[kTileBlocks][kTileRows]) {
  using Held = HeldRows<Config>;
  using Magnitude = typename Held::Magnitude;
  const u32 block = threadIdx.x % kWarpThreads / kLanesPerBlock;
  const u32 first_column = (place.column_tile * kTileBlocks + block) * kScaleBlock;
  const u32 first_row = place.row_tile * kTileRows + first_tile_row;
  Held held;
  held.load(arguments,
            static_cast<const u8*>(arguments.source) +
                place.group * arguments.source_group_stride * Held::Vector::kBytes,
            first_row, first_column);
#pragma unroll
  for (int r = 0; r < Held::kRows; ++r) {
    bool special;
    u32 largest = held.largest(r, special);
#pragma unroll
    for (int step = kLanesPerBlock / 2; step > 0; step /= 2) {
      largest = most(largest, __shfl_xor_sync(0xffffffffu, largest, step));
    }
    const BlockScale scale = scale_of(Magnitude::as_f32(largest), arguments.scales.ue8m0 != 0);
    if (threadIdx.x % kLanesPerBlock == 0) scales[block][first_tile_row + r] = scale.scale;
    u8* row = arguments.values + place.group * arguments.values_group_stride +
              (first_row + r) * arguments.values_row_stride;
#pragma unroll
    for (int v = 0; v < Held::kVectors; ++v) {
      const u64 codes = held.data[r][v].codes(special, [&](int) { return scale.inverse; });
      store_codes<Config::kSource, Config::kAligned>(row, Held::column(first_column, v),
                                                     held.end_of(arguments, first_row + r), codes);
    }
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256)
    quantize_rows(const __grid_constant__ deepgemm::QuantizeArguments arguments) {
  using namespace deepgemm;
  using Config = QuantizeConfig;
  __shared__ float scales[kTileBlocks][kTileRows];
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  const CastTile place(arguments.row_tiles, arguments.column_tiles);
  const u32 first_tile_row = threadIdx.x / kWarpThreads * kRowsPerWarp;
  for (int r = 0; r < kRowsPerWarp; r += kRowsHeld<Config>) {
    quantize_held_rows<Config>(arguments, place, first_tile_row + r, scales);
  }
  __syncthreads();
  const u32 block = threadIdx.x / kTileRows;
  if (block >= kTileBlocks) return;
  const u32 row = place.row_tile * kTileRows + threadIdx.x % kTileRows;
  const u32 column = place.column_tile * kTileBlocks + block;
  if (row >= arguments.scales.rows || column >= arguments.scales.columns) return;
  write_cell(arguments.scales, place.group, row, column, scales[block][threadIdx.x % kTileRows]);
}
