// Addressing of scale grids, shared by the casts and the mixture-of-experts kernels.
#pragma once

#include <cstdint>

#include "cast/scalar.hpp"
#include "deepgemm/cpu/cast.hpp"

namespace deepgemm::cpu {

static inline int64_t ceil_div(int64_t value, int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

static inline int64_t element_bytes(FloatType type) { return type == FloatType::f32 ? 4 : 2; }
static inline int64_t element_bytes(ScaleFormat format) {
  return format == ScaleFormat::f32 ? 4 : 1;
}

static inline int64_t scale_index(const ScaleGrid& grid, int64_t group, int64_t row,
                                  int64_t column) {
  return group * grid.group_stride + row * grid.row_stride + column * grid.column_stride;
}

static inline float read_scale(const ScaleGrid& grid, int64_t index) {
  return grid.format == ScaleFormat::f32
             ? static_cast<const float*>(grid.data)[index]
             : f32_from_ue8m0(static_cast<const uint8_t*>(grid.data)[index]);
}

// A ue8m0 code is the exponent of its scale, a power of two.
static inline void write_scale(const ScaleGrid& grid, int64_t index, float scale) {
  if (grid.format == ScaleFormat::f32) {
    static_cast<float*>(grid.data)[index] = scale;
  } else {
    static_cast<uint8_t*>(grid.data)[index] = static_cast<uint8_t>(bits_of(scale) >> 23);
  }
}

static inline void zero_scale(const ScaleGrid& grid, int64_t index) {
  if (grid.format == ScaleFormat::f32) {
    static_cast<float*>(grid.data)[index] = 0.0f;
  } else {
    static_cast<uint8_t*>(grid.data)[index] = 0;
  }
}

static inline void zero_padding_rows(const ScaleGrid& grid, int64_t groups, int64_t rows,
                                     int64_t columns) {
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t row = rows; row < grid.padded_rows; ++row) {
      for (int64_t column = 0; column < columns; ++column) {
        zero_scale(grid, scale_index(grid, g, row, column));
      }
    }
  }
}

struct GridShape {
  int64_t rows;
  int64_t columns;
};

static inline GridShape grid_shape(ScaleRecipe recipe, int64_t rows, int64_t columns) {
  return {recipe == ScaleRecipe::row_1x128 ? rows : ceil_div(rows, kScaleBlock),
          recipe == ScaleRecipe::column_128x1 ? columns : ceil_div(columns, kScaleBlock)};
}

}  // namespace deepgemm::cpu
