// What a launch passes to transpose_e4m3.
#pragma once

#include "quantize/scale_copy.cuh"

namespace deepgemm {

struct TransposeArguments {
  const u8* source;  // [groups, rows, columns]
  u8* out;           // [groups, columns, rows]
  i64 source_group_stride;
  i64 source_row_stride;  // bytes, like the other three
  i64 out_group_stride;
  i64 out_row_stride;
  u32 rows;
  u32 columns;
  u32 row_tiles;
  u32 column_tiles;
  u32 value_blocks;  // blocks of threads before those that copy scales
  u32 unused;
  ScaleCopy scales;  // of the transposed matrix, from a grid seen the same way
};

static_assert(sizeof(TransposeArguments) == 208, "the host packs 208 bytes of arguments");

}  // namespace deepgemm
