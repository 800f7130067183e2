// dequantize(): the product of each value with its block's scale.
#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kTileColumns = 1024;
constexpr int64_t kTileRows = 64;  // divides 128: a tile never crosses a row of blocks

// One row whose columns share scales by 128s.
void decode_blocks(const CastKernels& kernels, const DequantizeArgs& args, int64_t scale_at,
                   const uint8_t* values, int64_t count, char* out) {
  const int64_t bytes = element_bytes(args.out_type);
  const auto decode = kernels.decode_row[static_cast<int>(args.out_type)];
  for (int64_t c = 0; c < count; c += kScaleBlock) {
    const float scale =
        read_scale(args.scales, scale_at + c / kScaleBlock * args.scales.column_stride);
    decode(values + c, std::min(kScaleBlock, count - c), scale, out + c * bytes);
  }
}

void run_tile(const CastKernels& kernels, const DequantizeArgs& args, const Tile& tile) {
  const bool by_column = args.recipe == ScaleRecipe::column_128x1;
  const int64_t bytes = element_bytes(args.out_type);
  float scales[kTileColumns];
  if (by_column) {
    const int64_t at = scale_index(args.scales, tile.group, tile.row / kScaleBlock, tile.column);
    for (int64_t c = 0; c < tile.columns; ++c) {
      scales[c] = read_scale(args.scales, at + c * args.scales.column_stride);
    }
  }
  for (int64_t row = tile.row; row < tile.row + tile.rows; ++row) {
    const uint8_t* values = args.values + tile.group * args.values_group_stride +
                            row * args.values_row_stride + tile.column;
    char* out =
        static_cast<char*>(args.out) +
        (tile.group * args.out_group_stride + row * args.out_row_stride + tile.column) * bytes;
    if (by_column) {
      kernels.decode_columns[static_cast<int>(args.out_type)](values, tile.columns, scales, out);
      continue;
    }
    const int64_t grid_row = args.recipe == ScaleRecipe::row_1x128 ? row : row / kScaleBlock;
    const int64_t at = scale_index(args.scales, tile.group, grid_row, tile.column / kScaleBlock);
    decode_blocks(kernels, args, at, values, tile.columns, out);
  }
}

}  // namespace

void dequantize(Pool& pool, Isa isa, const DequantizeArgs& args) {
  const CastKernels& kernels = cast_kernels(isa);
  for_each_tile(pool, args.groups, args.rows, args.columns, kTileRows, kTileColumns,
                [&](const Tile& tile) { run_tile(kernels, args, tile); });
}

}  // namespace deepgemm::cpu
