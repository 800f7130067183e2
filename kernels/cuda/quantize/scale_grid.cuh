// Grids of scales in any layout, and copies between them.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

// Cell (g, i, j) lies at data[g * group_stride + i * row_stride + j * column_stride], in elements
// of its format. Cells past `rows` or `columns`, up to the padded extents, exist in memory and are
// zero.
struct ScaleGrid {
  void* data;
  i64 group_stride;
  i64 row_stride;
  i64 column_stride;
  u32 groups;
  u32 rows;
  u32 columns;
  u32 padded_rows;
  u32 padded_columns;
  u32 ue8m0;  // 1: bytes that are exponents, 0: f32
};

static_assert(sizeof(ScaleGrid) == 56, "the host packs 56 bytes of a grid");

// The float of a ue8m0 code: 0 is the subnormal 2^-127, 0xff is NaN.
DEEPGEMM_DEVICE float float_of_ue8m0(u32 code) {
  const u32 bits = code == 0 ? 0x00400000u : code == 0xff ? 0x7fc00000u : code << 23;
  return __uint_as_float(bits);
}

DEEPGEMM_DEVICE i64 scale_index(const ScaleGrid& grid, u32 group, u32 row, u32 column) {
  return group * grid.group_stride + row * grid.row_stride + column * grid.column_stride;
}

DEEPGEMM_DEVICE float read_scale(const ScaleGrid& grid, i64 index) {
  if (grid.ue8m0 != 0) return float_of_ue8m0(static_cast<const u8*>(grid.data)[index]);
  return static_cast<const float*>(grid.data)[index];
}

// `scale` is f32, and a power of two from 2^-126 on where the grid is ue8m0; zero is padding.
DEEPGEMM_DEVICE void write_scale(const ScaleGrid& grid, i64 index, float scale) {
  if (grid.ue8m0 != 0) {
    static_cast<u8*>(grid.data)[index] = static_cast<u8>(__float_as_uint(scale) >> 23);
  } else {
    static_cast<float*>(grid.data)[index] = scale;
  }
}

// Writes a cell of the grid, and the padding that lies behind a last row or column.
DEEPGEMM_DEVICE void write_cell(const ScaleGrid& grid, u32 group, u32 row, u32 column,
                                float scale) {
  const i64 index = scale_index(grid, group, row, column);
  write_scale(grid, index, scale);
  if (row + 1 == grid.rows) {
    for (u32 i = 1; row + i < grid.padded_rows; ++i) {
      write_scale(grid, index + i * grid.row_stride, 0.0f);
    }
  }
  if (column + 1 == grid.columns) {
    for (u32 i = 1; column + i < grid.padded_columns; ++i) {
      write_scale(grid, index + i * grid.column_stride, 0.0f);
    }
  }
}

}  // namespace deepgemm
