// What the tests of the casts share: the rule of cast.hpp, grids in both orientations, and one
// quantised matrix beside its source.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "deepgemm/cpu/cast.hpp"
#include "float_reference.hpp"

namespace deepgemm::cpu::test {

inline constexpr FloatType kTypes[] = {FloatType::f32, FloatType::f16, FloatType::bf16};
inline constexpr ScaleRecipe kRecipes[] = {ScaleRecipe::row_1x128, ScaleRecipe::block_128x128,
                                           ScaleRecipe::column_128x1};
inline constexpr uint8_t kPoison = 0xa5;

struct Machine {
  Pool& pool;
  Isa isa;
};

struct ReferenceScale {
  float scale;
  float inverse;
  uint8_t code;
};

// The rule of cast.hpp, the power of two found by trying them all.
inline ReferenceScale reference_scale(float amax, ScaleFormat format) {
  const float bound = std::max(amax, 448.0f * std::ldexp(1.0f, -63));
  if (format == ScaleFormat::f32) return {bound / 448.0f, 448.0f / bound, 0};
  for (int code = 0; code < 255; ++code) {
    if (std::ldexp(448.0, code - 127) < static_cast<double>(bound)) continue;
    return {std::ldexp(1.0f, code - 127), std::ldexp(1.0f, 127 - code), static_cast<uint8_t>(code)};
  }
  return {};
}

struct Grid {
  int64_t rows;
  int64_t columns;
  int64_t block_rows;
  int64_t block_columns;
};

inline Grid grid_of(ScaleRecipe recipe, int64_t rows, int64_t columns) {
  const int64_t block_rows = recipe == ScaleRecipe::row_1x128 ? 1 : 128;
  const int64_t block_columns = recipe == ScaleRecipe::column_128x1 ? 1 : 128;
  return {(rows + block_rows - 1) / block_rows, (columns + block_columns - 1) / block_columns,
          block_rows, block_columns};
}

// Storage of a grid in either orientation, poisoned.
struct GridStorage {
  std::vector<uint8_t> bytes;
  ScaleGrid grid;

  GridStorage(ScaleFormat format, int64_t groups, const Grid& shape, bool mn_major) {
    const int64_t padded = (shape.rows + 3) / 4 * 4;
    const int64_t element = format == ScaleFormat::f32 ? 4 : 1;
    const int64_t cells = mn_major ? padded * shape.columns : shape.rows * shape.columns;
    bytes.assign(static_cast<size_t>(groups * cells * element), kPoison);
    grid.data = bytes.data();
    grid.format = format;
    grid.group_stride = cells;
    grid.row_stride = mn_major ? 1 : shape.columns;
    grid.column_stride = mn_major ? padded : 1;
    grid.padded_rows = mn_major ? padded : 0;
  }

  int64_t at(int64_t group, int64_t row, int64_t column) const {
    return group * grid.group_stride + row * grid.row_stride + column * grid.column_stride;
  }
  float f32(int64_t index) const { return static_cast<const float*>(grid.data)[index]; }
  uint8_t code(int64_t index) const { return static_cast<const uint8_t*>(grid.data)[index]; }
  bool is_zero(int64_t index) const {
    return grid.format == ScaleFormat::f32 ? f32(index) == 0.0f : code(index) == 0;
  }
};

struct CastCase {
  int64_t groups;
  int64_t rows;
  int64_t columns;
  FloatType type;
  ScaleFormat format;
  ScaleRecipe recipe;
  bool mn_major;
  bool transpose;
};

// One quantised matrix beside its source, addressed as the recipe sees it.
struct Quantized {
  const CastCase& c;
  int64_t rows;  // of the values
  int64_t columns;
  Grid grid;
  int64_t source_stride;
  FloatArray source;
  int64_t value_stride;
  std::vector<uint8_t> values;
  GridStorage scales;

  explicit Quantized(const CastCase& given)
      : c(given),
        rows(c.transpose ? c.columns : c.rows),
        columns(c.transpose ? c.rows : c.columns),
        grid(grid_of(c.recipe, rows, columns)),
        source_stride(c.columns + 3),
        source(c.type, c.groups * c.rows * source_stride),
        value_stride(columns + 5),
        values(static_cast<size_t>(c.groups * rows * value_stride), kPoison),
        scales(c.format, c.groups, grid, c.mn_major) {}

  float source_at(int64_t group, int64_t row, int64_t column) const {
    if (c.transpose) std::swap(row, column);
    return source.get((group * c.rows + row) * source_stride + column);
  }

  void run(Pool& pool, Isa isa) {
    QuantizeArgs args;
    args.source = source.data();
    args.source_type = c.type;
    args.groups = c.groups;
    args.rows = c.rows;
    args.columns = c.columns;
    args.source_group_stride = c.rows * source_stride;
    args.source_row_stride = source_stride;
    args.values = values.data();
    args.values_group_stride = rows * value_stride;
    args.values_row_stride = value_stride;
    args.recipe = c.recipe;
    args.scales = scales.grid;
    args.transpose = c.transpose;
    quantize(pool, isa, args);
  }
};

inline void for_each_machine(void (*run)(const Machine&, std::mt19937_64&)) {
  for (const int threads : {1, 2}) {
    Pool pool(threads);
    for (const Isa isa : available_isas()) {
      std::mt19937_64 random(7);
      run({pool, isa}, random);
    }
  }
}

}  // namespace deepgemm::cpu::test
