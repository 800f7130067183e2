// What a launch passes to the casts.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

struct QuantizeArguments {
  const void* source;       // [rows, columns]
  u8* values;               // e4m3 [rows, columns]
  void* scales;             // f32, or u8 where ue8m0
  i64 source_stride;        // elements from one row to the next
  i64 values_stride;        // bytes from one row to the next
  i64 scale_row_stride;     // elements from one row of the grid to the next
  i64 scale_column_stride;  // and from one column to the next
  u32 rows;
  u32 columns;
  u32 grid_rows;    // of the grid of scales
  u32 padded_rows;  // grid rows to write; those past grid_rows become zero
};

static_assert(sizeof(QuantizeArguments) == 72, "the host packs 72 bytes of arguments");

}  // namespace deepgemm
