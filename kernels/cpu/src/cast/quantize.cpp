// quantize(): picks tiles that fit the caches and runs the row kernels over them.
#include <utility>

#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"
#include "cast/transpose_square.hpp"

namespace deepgemm::cpu {
namespace {

// Columns per tile. Row blocks are read once, so that a tile only has to amortise its dispatch;
// the other recipes read a tile twice and want it to stay in the second-level cache.
constexpr int64_t kRowTileColumns = 8192;
constexpr int64_t kTwicePassColumns = 1024;
constexpr int64_t kRowTileElements = 1 << 16;

// One tile with everything resolved to its corner; the scales are those of the source's blocks.
struct TileJob {
  const char* source;
  int64_t source_row_bytes;
  int64_t rows;
  int64_t columns;
  uint8_t* values;
  int64_t values_row_stride;
  ScaleGrid scales;
};

const char* row_of(const TileJob& job, int64_t row) {
  return job.source + row * job.source_row_bytes;
}

ScaleCursor scale_cursor(const ScaleGrid& scales, int64_t row) {
  char* data =
      static_cast<char*>(scales.data) + row * scales.row_stride * element_bytes(scales.format);
  return {data, scales.format, scales.column_stride};
}

void quantize_row_blocks(const CastKernels& kernels, FloatType type, const TileJob& job) {
  const auto kernel = kernels.quantize_row[static_cast<int>(type)];
  for (int64_t r = 0; r < job.rows; ++r) {
    kernel(row_of(job, r), job.columns, job.values + r * job.values_row_stride,
           scale_cursor(job.scales, r));
  }
}

void write_scales(const ScaleGrid& grid, const float* scales, int64_t count) {
  for (int64_t i = 0; i < count; ++i) write_scale(grid, i * grid.column_stride, scales[i]);
}

void quantize_square_blocks(const CastKernels& kernels, FloatType type, const TileJob& job) {
  const auto encode = kernels.encode_blocks[static_cast<int>(type)];
  const int64_t blocks = ceil_div(job.columns, kScaleBlock);
  alignas(64) uint32_t amax[kSpanBlocks] = {};
  alignas(64) float scales[kSpanBlocks];
  alignas(64) float inverses[kSpanBlocks];
  const bool special = kernels.amax_blocks[static_cast<int>(type)](job.source, job.source_row_bytes,
                                                                   job.rows, job.columns, amax);
  kernels.scale_blocks(amax, blocks, job.scales.format, scales, inverses);
  write_scales(job.scales, scales, blocks);
  for (int64_t r = 0; r < job.rows; ++r) {
    encode(row_of(job, r), job.columns, inverses, special, job.values + r * job.values_row_stride);
  }
}

void quantize_column_blocks(const CastKernels& kernels, FloatType type, const TileJob& job) {
  const auto amax_columns = kernels.amax_columns[static_cast<int>(type)];
  const auto encode_columns = kernels.encode_columns[static_cast<int>(type)];
  alignas(64) uint32_t amax[kTwicePassColumns] = {};
  alignas(64) float scales[kTwicePassColumns];
  alignas(64) float inverses[kTwicePassColumns];
  bool special = false;
  for (int64_t r = 0; r < job.rows; ++r) special |= amax_columns(row_of(job, r), job.columns, amax);
  kernels.scale_blocks(amax, job.columns, job.scales.format, scales, inverses);
  write_scales(job.scales, scales, job.columns);
  for (int64_t r = 0; r < job.rows; ++r) {
    encode_columns(row_of(job, r), job.columns, inverses, special,
                   job.values + r * job.values_row_stride);
  }
}

void quantize_tile(const CastKernels& kernels, FloatType type, ScaleRecipe recipe,
                   const TileJob& job) {
  if (recipe == ScaleRecipe::row_1x128) return quantize_row_blocks(kernels, type, job);
  if (recipe == ScaleRecipe::block_128x128) return quantize_square_blocks(kernels, type, job);
  quantize_column_blocks(kernels, type, job);
}

// What the caller's recipe and scales are, seen from the source of a transposing cast.
ScaleRecipe source_recipe(const QuantizeArgs& args) {
  if (!args.transpose || args.recipe == ScaleRecipe::block_128x128) return args.recipe;
  return args.recipe == ScaleRecipe::row_1x128 ? ScaleRecipe::column_128x1 : ScaleRecipe::row_1x128;
}

ScaleGrid source_scales(const QuantizeArgs& args, ScaleRecipe recipe, const Tile& tile) {
  ScaleGrid scales = args.scales;
  if (args.transpose) std::swap(scales.row_stride, scales.column_stride);
  const int64_t row = recipe == ScaleRecipe::row_1x128 ? tile.row : tile.row / kScaleBlock;
  const int64_t column =
      recipe == ScaleRecipe::column_128x1 ? tile.column : tile.column / kScaleBlock;
  scales.data = static_cast<char*>(scales.data) +
                scale_index(scales, tile.group, row, column) * element_bytes(scales.format);
  return scales;
}

void run_tile(const CastKernels& kernels, const QuantizeArgs& args, ScaleRecipe recipe,
              const Tile& tile) {
  const int64_t bytes = element_bytes(args.source_type);
  const char* source =
      static_cast<const char*>(args.source) +
      (tile.group * args.source_group_stride + tile.row * args.source_row_stride + tile.column) *
          bytes;
  uint8_t* values = args.values + tile.group * args.values_group_stride;
  TileJob job{source,
              args.source_row_stride * bytes,
              tile.rows,
              tile.columns,
              values + tile.row * args.values_row_stride + tile.column,
              args.values_row_stride,
              source_scales(args, recipe, tile)};
  if (!args.transpose) return quantize_tile(kernels, args.source_type, recipe, job);
  alignas(64) uint8_t codes[kSquare * kSquare];
  job.values = codes;
  job.values_row_stride = kSquare;
  quantize_tile(kernels, args.source_type, recipe, job);
  transpose_square(kernels, codes, kSquare,
                   values + tile.column * args.values_row_stride + tile.row, args.values_row_stride,
                   tile.rows, tile.columns);
}

int64_t tile_columns(const QuantizeArgs& args, ScaleRecipe recipe) {
  if (args.transpose) return kSquare;
  return recipe == ScaleRecipe::row_1x128 ? kRowTileColumns : kTwicePassColumns;
}

int64_t tile_rows(const QuantizeArgs& args, ScaleRecipe recipe) {
  if (args.transpose || recipe != ScaleRecipe::row_1x128) return kScaleBlock;
  const int64_t columns = std::clamp<int64_t>(args.columns, 1, kRowTileColumns);
  return ceil_div(kRowTileElements, columns);
}

}  // namespace

void quantize(Pool& pool, Isa isa, const QuantizeArgs& args) {
  const CastKernels& kernels = cast_kernels(isa);
  const ScaleRecipe recipe = source_recipe(args);
  for_each_tile(pool, args.groups, args.rows, args.columns, tile_rows(args, recipe),
                tile_columns(args, recipe),
                [&](const Tile& tile) { run_tile(kernels, args, recipe, tile); });
  const GridShape grid = args.transpose ? grid_shape(args.recipe, args.columns, args.rows)
                                        : grid_shape(args.recipe, args.rows, args.columns);
  zero_padding_rows(args.scales, args.groups, grid.rows, grid.columns);
}

}  // namespace deepgemm::cpu
