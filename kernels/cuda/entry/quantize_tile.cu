// Cast to e4m3 in tiles of 128 x 128, one block of threads each: with 128x128 or 128x1 scales, and
// with any scales where the values are transposed on the way. The elements stay in registers
// between the search for the scales and the encoding. config.cuh is generated (QuantizeConfig).
#include "base/cast_choices.cuh"
#include "config.cuh"
#include "ptx/control.cuh"
#include "quantize/tile_scales.cuh"
#include "quantize/transposed_tile.cuh"

namespace deepgemm {

// Blocks of threads that a multiprocessor holds at once: a tile of f32 takes twice the registers,
// more where its elements are read one by one, and rows have a factor each.
template <class Config>
constexpr int kBlocksPerSm = Config::kSource == Source::kF32    ? (Config::kAligned ? 2 : 1)
                             : Config::kBlocks == Blocks::kRows ? 3
                                                                : 4;

// Shared memory where values are transposed; a byte where they are not.
template <class Config>
struct Turned {
  u8 unused;
};
template <class Config>
  requires Config::kTransposed
struct Turned<Config> : TransposedTile<kScaleBlock, kScaleBlock> {};

template <class Config, class Data>
DEEPGEMM_DEVICE void store_rows(const Data& data, const auto& inverse,
                                const QuantizeArguments& arguments, u8* values,
                                const CastTile& place) {
  const u32 column = place.column_tile * kScaleBlock + Data::column();
  const u32 first_row = place.row_tile * kScaleBlock;
  u8* quad_at = values + (first_row + Data::quad(0) * 4) * arguments.values_row_stride;
#pragma unroll
  for (u32 s = 0; s < Data::kSteps; ++s) {
    u8* row_at = quad_at;
#pragma unroll
    for (u32 r = 0; r < 4; ++r, row_at += arguments.values_row_stride) {
      const bool exists = first_row + Data::quad(s) * 4 + r < arguments.rows;
      const u64 codes =
          data.rows[s][r].codes(data.special, [&](int i) { return inverse(s, r, i); });
      store_codes<Data::kSource, Config::kAligned>(row_at, column, exists ? arguments.columns : 0,
                                                   codes);
    }
    quad_at += Data::kStride * 4 * arguments.values_row_stride;
  }
}

template <class Data>
DEEPGEMM_DEVICE void turn_rows(const Data& data, const auto& inverse,
                               TransposedTile<kScaleBlock, kScaleBlock>& turned) {
#pragma unroll
  for (u32 s = 0; s < Data::kSteps; ++s) {
    u64 codes[4];
#pragma unroll
    for (u32 r = 0; r < 4; ++r) {
      codes[r] = data.rows[s][r].codes(data.special, [&](int i) { return inverse(s, r, i); });
    }
#pragma unroll
    for (u32 half = 0; half < Data::Vector::kCount / 4; ++half) {
      u32 words[4];
#pragma unroll
      for (u32 r = 0; r < 4; ++r) words[r] = static_cast<u32>(codes[r] >> 32 * half);
      transpose_4x4(words);
#pragma unroll
      for (u32 i = 0; i < 4; ++i) {
        turned.put(Data::column() + half * 4 + i, Data::quad(s), words[i]);
      }
    }
  }
}

template <class Config>
DEEPGEMM_DEVICE void quantize_tile(const QuantizeArguments& arguments, TileExchange& exchange,
                                   Turned<Config>& turned) {
  using Data = TileData<Config::kSource>;
  const CastTile place(arguments.row_tiles, arguments.column_tiles);
  const u32 first_row = place.row_tile * kScaleBlock;
  const u32 first_column = place.column_tile * kScaleBlock;
  Data data;
  data.template load<Config::kAligned>(
      arguments,
      static_cast<const u8*>(arguments.source) +
          place.group * arguments.source_group_stride * Data::Vector::kBytes,
      first_row, first_column);
  TileScales<Config::kBlocks, Data> scales;
  scales.find(data, arguments, place, exchange);
  u8* values = arguments.values + place.group * arguments.values_group_stride;
  if constexpr (Config::kTransposed) {
    turn_rows(data, scales, turned);
    __syncthreads();
    store_transposed<Config::kAligned, kTileThreads>(
        turned, values + first_column * arguments.values_row_stride + first_row,
        arguments.values_row_stride, arguments.rows - first_row, arguments.columns - first_column);
  } else {
    store_rows<Config>(data, scales, arguments, values, place);
  }
}

}  // namespace deepgemm

extern "C" __global__ void __launch_bounds__(256, deepgemm::kBlocksPerSm<deepgemm::QuantizeConfig>)
    quantize_tile(const __grid_constant__ deepgemm::QuantizeArguments arguments) {
  using namespace deepgemm;
  __shared__ TileExchange exchange;
  __shared__ Turned<QuantizeConfig> turned;
  ptx::allow_next_kernel();
  ptx::wait_for_previous_kernel();
  quantize_tile<QuantizeConfig>(arguments, exchange, turned);
}
