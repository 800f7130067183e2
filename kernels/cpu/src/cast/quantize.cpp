// quantize(): picks tiles that fit the caches and runs the row kernels over them.
#include <utility>

#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"
#include "cast/transpose_square.hpp"

namespace deepgemm::cpu {
namespace {

// Columns per tile. Row blocks are read once, so that a tile only has to amortise its dispatch;
// the other recipes read a tile twice and want it, and the one to its right, to stay in the
// second-level cache.
constexpr int64_t kRowTileColumns = 8192;
constexpr int64_t kTwicePassColumns = 1024;
constexpr int64_t kSquareTileBytes = 2048;  // of a row
constexpr int64_t kRowTileElements = 1 << 16;

// Rows whose scales are collected before they are stored: neighbours in a grid that is stored by
// columns.
constexpr int64_t kScaleRows = 16;

// Values of this many bytes and more go past the caches. They would hardly be there any more when
// they are read, and a line that is not read before it is overwritten is a third of the traffic.
constexpr int64_t kPastBytes = int64_t{4} << 20;

// One tile with everything resolved to its corner; the scales are those of the source's blocks.
struct TileJob {
  const char* source;
  int64_t source_row_bytes;
  int64_t rows;
  int64_t columns;
  uint8_t* values;
  int64_t values_row_stride;
  ScaleGrid scales;
  Encoding encoding;  // of values that are not special
};

const char* row_of(const TileJob& job, int64_t row) {
  return job.source + row * job.source_row_bytes;
}

template <class Scale>
void store_scales(const Scale* from, int64_t from_stride, int64_t rows, int64_t columns,
                  const ScaleGrid& to) {
  auto* out = static_cast<Scale*>(to.data);
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) {
      out[r * to.row_stride + c * to.column_stride] = from[r * from_stride + c];
    }
  }
}

// At most kScaleRows rows. Their scales pass through a small buffer, so that a line of a grid that
// is stored by columns is visited once for all of them.
void quantize_few_rows(const CastKernels& kernels, FloatType type, const TileJob& job) {
  constexpr int64_t kMostBlocks = kRowTileColumns / kScaleBlock;
  alignas(64) char scales[kScaleRows * kMostBlocks * sizeof(float)];
  const ScaleGrid& grid = job.scales;
  const int64_t stride = kMostBlocks * element_bytes(grid.format);
  for (int64_t r = 0; r < job.rows; ++r) {
    kernels.quantize_row[static_cast<int>(type)](
        row_of(job, r), job.columns, job.values + r * job.values_row_stride,
        {scales + r * stride, grid.format, 1}, job.encoding);
  }
  const int64_t blocks = ceil_div(job.columns, kScaleBlock);
  if (grid.format == ScaleFormat::f32) {
    store_scales(reinterpret_cast<const float*>(scales), kMostBlocks, job.rows, blocks, grid);
  } else {
    store_scales(reinterpret_cast<const uint8_t*>(scales), kMostBlocks, job.rows, blocks, grid);
  }
}

void quantize_row_blocks(const CastKernels& kernels, FloatType type, TileJob job) {
  const int64_t end = job.rows;
  for (int64_t done = 0; done < end; done += kScaleRows) {
    job.rows = std::min(kScaleRows, end - done);
    quantize_few_rows(kernels, type, job);
    job.source += kScaleRows * job.source_row_bytes;
    job.values += kScaleRows * job.values_row_stride;
    job.scales.data = static_cast<char*>(job.scales.data) +
                      kScaleRows * job.scales.row_stride * element_bytes(job.scales.format);
  }
}

void write_scales(const ScaleGrid& grid, const float* scales, int64_t count) {
  for (int64_t i = 0; i < count; ++i) write_scale(grid, i * grid.column_stride, scales[i]);
}

int64_t square_tile_columns(FloatType type) { return kSquareTileBytes / element_bytes(type); }

// A row of 128x128 blocks, at most square_tile_columns() wide.
void quantize_few_squares(const CastKernels& kernels, FloatType type, const TileJob& job) {
  const int64_t blocks = ceil_div(job.columns, kScaleBlock);
  alignas(64) uint32_t amax[kSpanBlocks] = {};
  alignas(64) float scales[kSpanBlocks];
  alignas(64) float inverses[kSpanBlocks];
  const bool special = kernels.amax_blocks[static_cast<int>(type)](job.source, job.source_row_bytes,
                                                                   job.rows, job.columns, amax);
  kernels.scale_blocks(amax, blocks, job.scales.format, scales, inverses);
  write_scales(job.scales, scales, blocks);
  const BlockRows rows{job.source,  job.source_row_bytes, job.rows,
                       job.columns, job.values,           job.values_row_stride};
  kernels.encode_blocks[static_cast<int>(type)](
      rows, inverses, special ? Encoding::special : job.encoding, square_tile_columns(type));
}

void quantize_square_blocks(const CastKernels& kernels, FloatType type, TileJob job) {
  const int64_t step = square_tile_columns(type);
  const int64_t scale_step =
      step / kScaleBlock * job.scales.column_stride * element_bytes(job.scales.format);
  const int64_t end = job.columns;
  for (int64_t done = 0; done < end; done += step) {
    job.columns = std::min(step, end - done);
    quantize_few_squares(kernels, type, job);
    job.source += kSquareTileBytes;
    job.values += step;
    job.scales.data = static_cast<char*>(job.scales.data) + scale_step;
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

Encoding encoding_of(const QuantizeArgs& args) {
  constexpr int64_t kLine = 64;
  const bool aligned = reinterpret_cast<uintptr_t>(args.values) % kLine == 0 &&
                       args.values_row_stride % kLine == 0 && args.values_group_stride % kLine == 0;
  const bool large = args.groups * args.rows * args.columns >= kPastBytes;
  return aligned && large && !args.transpose ? Encoding::past : Encoding::cached;
}

void run_tile(const CastKernels& kernels, const QuantizeArgs& args, ScaleRecipe recipe,
              Encoding encoding, const Tile& tile) {
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
              source_scales(args, recipe, tile),
              encoding};
  if (!args.transpose) {
    quantize_tile(kernels, args.source_type, recipe, job);
    if (encoding == Encoding::past) stream_fence();
    return;
  }
  alignas(64) uint8_t codes[kSquare * kSquare];
  job.values = codes;
  job.values_row_stride = kSquare;
  quantize_tile(kernels, args.source_type, recipe, job);
  transpose_square(kernels, codes, kSquare,
                   values + tile.column * args.values_row_stride + tile.row, args.values_row_stride,
                   tile.rows, tile.columns);
}

struct TileShape {
  int64_t rows;
  int64_t columns;
};

// Wide enough that fetching ahead seldom leaves the tile, and enough tiles for all threads.
TileShape square_tiles(const QuantizeArgs& args, int threads) {
  const int64_t bands = std::max<int64_t>(args.groups * ceil_div(args.rows, kScaleBlock), 1);
  const int64_t wanted = threads > 1 ? ceil_div(int64_t{4} * threads, bands) : 1;
  const int64_t step = square_tile_columns(args.source_type);
  const int64_t steps = ceil_div(ceil_div(args.columns, wanted), step);
  return {kScaleBlock, std::max<int64_t>(steps, 1) * step};
}

TileShape tile_shape(const QuantizeArgs& args, ScaleRecipe recipe, int threads) {
  if (args.transpose) return {kSquare, kSquare};
  if (recipe == ScaleRecipe::block_128x128) return square_tiles(args, threads);
  if (recipe == ScaleRecipe::column_128x1) return {kScaleBlock, kTwicePassColumns};
  const int64_t columns = std::clamp<int64_t>(args.columns, 1, kRowTileColumns);
  return {ceil_div(kRowTileElements, columns), kRowTileColumns};
}

}  // namespace

void quantize(Pool& pool, Isa isa, const QuantizeArgs& args) {
  const CastKernels& kernels = cast_kernels(isa);
  const ScaleRecipe recipe = source_recipe(args);
  const Encoding encoding = encoding_of(args);
  const TileShape shape = tile_shape(args, recipe, pool.threads());
  for_each_tile(pool, args.groups, args.rows, args.columns, shape.rows, shape.columns,
                [&](const Tile& tile) { run_tile(kernels, args, recipe, encoding, tile); });
  const GridShape grid = args.transpose ? grid_shape(args.recipe, args.columns, args.rows)
                                        : grid_shape(args.recipe, args.rows, args.columns);
  zero_padding_rows(args.scales, args.groups, grid.rows, grid.columns);
}

}  // namespace deepgemm::cpu
