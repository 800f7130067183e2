// What a launch passes to the casts.
#pragma once

#include "quantize/scale_grid.cuh"

namespace deepgemm {

// Extents, tiles and the grid of scales are those of the source, also where the values that are
// written are transposed.
struct QuantizeArguments {
  const void* source;  // [groups, rows, columns]
  u8* values;          // e4m3 [groups, rows, columns], or [groups, columns, rows]
  ScaleGrid scales;
  i64 source_group_stride;  // elements
  i64 source_row_stride;    // elements
  i64 values_group_stride;  // bytes
  i64 values_row_stride;    // bytes
  u32 rows;
  u32 columns;
  u32 row_tiles;
  u32 column_tiles;
};

static_assert(sizeof(QuantizeArguments) == 120, "the host packs 120 bytes of arguments");

struct DequantizeArguments {
  const u8* values;  // e4m3 [groups, rows, columns]
  void* out;         // [groups, rows, columns]
  ScaleGrid scales;
  i64 values_group_stride;  // bytes
  i64 values_row_stride;    // bytes
  i64 out_group_stride;     // elements
  i64 out_row_stride;       // elements
  u32 rows;
  u32 columns;
  u32 row_tiles;
  u32 column_tiles;
  u32 row_shift;  // row >> row_shift is a row of the grid: 0 or 7
  u32 column_shift;
};

static_assert(sizeof(DequantizeArguments) == 128, "the host packs 128 bytes of arguments");

// Which tile a block of threads works on: blocks side by side read pieces of the same rows.
struct CastTile {
  u32 group;
  u32 row_tile;
  u32 column_tile;

  DEEPGEMM_DEVICE explicit CastTile(u32 row_tiles, u32 column_tiles)
      : group(blockIdx.x / column_tiles / row_tiles),
        row_tile(blockIdx.x / column_tiles % row_tiles),
        column_tile(blockIdx.x % column_tiles) {}
};

}  // namespace deepgemm
