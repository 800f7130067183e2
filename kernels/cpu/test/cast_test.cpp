// Casts against the definitions of float_reference.hpp, bit for bit, on every instruction set.
#include "deepgemm/cpu/cast.hpp"

#include "check.hpp"
#include "float_reference.hpp"

namespace deepgemm::cpu::test {
namespace {

constexpr FloatType kTypes[] = {FloatType::f32, FloatType::f16, FloatType::bf16};
constexpr ScaleRecipe kRecipes[] = {ScaleRecipe::row_1x128, ScaleRecipe::block_128x128,
                                    ScaleRecipe::column_128x1};
constexpr uint8_t kPoison = 0xa5;

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
ReferenceScale reference_scale(float amax, ScaleFormat format) {
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

Grid grid_of(ScaleRecipe recipe, int64_t rows, int64_t columns) {
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

float block_amax(const Quantized& q, int64_t group, int64_t grid_row, int64_t grid_column) {
  float amax = 0.0f;
  for (int64_t r = grid_row * q.grid.block_rows;
       r < std::min(q.rows, (grid_row + 1) * q.grid.block_rows); ++r) {
    for (int64_t k = grid_column * q.grid.block_columns;
         k < std::min(q.columns, (grid_column + 1) * q.grid.block_columns); ++k) {
      const float value = std::fabs(q.source_at(group, r, k));
      if (std::isfinite(value)) amax = std::max(amax, value);
    }
  }
  return amax;
}

void check_block(const Machine& m, const Quantized& q, int64_t group, int64_t i, int64_t j) {
  const ReferenceScale expected = reference_scale(block_amax(q, group, i, j), q.c.format);
  const int64_t at = q.scales.at(group, i, j);
  const bool same = q.c.format == ScaleFormat::f32 ? q.scales.f32(at) == expected.scale
                                                   : q.scales.code(at) == expected.code;
  checkf(same, "%s: scale (%ld, %ld) of %ldx%ld recipe %d", isa_name(m.isa), i, j, q.rows,
         q.columns, static_cast<int>(q.c.recipe));
  int64_t wrong = 0;
  for (int64_t r = i * q.grid.block_rows; r < std::min(q.rows, (i + 1) * q.grid.block_rows); ++r) {
    for (int64_t k = j * q.grid.block_columns;
         k < std::min(q.columns, (j + 1) * q.grid.block_columns); ++k) {
      const float scaled = q.source_at(group, r, k) * expected.inverse;
      const size_t index = static_cast<size_t>((group * q.rows + r) * q.value_stride + k);
      wrong += q.values[index] != encode_e4m3(scaled);
    }
  }
  checkf(wrong == 0, "%s: %ld wrong values in block (%ld, %ld) of %ldx%ld recipe %d type %d",
         isa_name(m.isa), wrong, i, j, q.rows, q.columns, static_cast<int>(q.c.recipe),
         static_cast<int>(q.c.type));
}

void check_quantized(const Machine& m, const Quantized& q) {
  for (int64_t g = 0; g < q.c.groups; ++g) {
    for (int64_t i = 0; i < q.grid.rows; ++i) {
      for (int64_t j = 0; j < q.grid.columns; ++j) check_block(m, q, g, i, j);
    }
    for (int64_t i = q.grid.rows; i < q.scales.grid.padded_rows; ++i) {
      for (int64_t j = 0; j < q.grid.columns; ++j) {
        checkf(q.scales.is_zero(q.scales.at(g, i, j)), "padding scale is not zero");
      }
    }
  }
  int64_t touched = 0;
  for (int64_t r = 0; r < q.c.groups * q.rows; ++r) {
    for (int64_t k = q.columns; k < q.value_stride; ++k) {
      touched += q.values[static_cast<size_t>(r * q.value_stride + k)] != kPoison;
    }
  }
  checkf(touched == 0, "%ld bytes written between the rows", touched);
}

// Every pattern of a 16-bit type, each block led by 448 so that finite values up to it stay as
// they are; blocks with larger values, infinities and NaN follow the rule all the same.
void test_every_half(const Machine& m) {
  for (const FloatType type : {FloatType::f16, FloatType::bf16}) {
    for (const ScaleFormat format : {ScaleFormat::f32, ScaleFormat::ue8m0}) {
      const CastCase c{1, 65536 / 64, 128, type, format, ScaleRecipe::row_1x128, false, false};
      Quantized q(c);
      for (int64_t row = 0; row < c.rows; ++row) {
        for (int64_t k = 0; k < 128; ++k) q.source.set(row * q.source_stride + k, 448.0f);
        for (int64_t k = 0; k < 64; ++k) {
          q.source.put(row * q.source_stride + 32 + k, static_cast<uint16_t>(row * 64 + k));
        }
      }
      q.run(m.pool, m.isa);
      check_quantized(m, q);
    }
  }
}

// Both neighbours of every tie between codes, the tie itself and every code, in each lane.
void test_every_tie(const Machine& m) {
  std::vector<float> points;
  for (uint8_t code = 0; code < 0x7e; ++code) {
    const float low = decode_e4m3(code);
    const float tie = (low + decode_e4m3(static_cast<uint8_t>(code + 1))) / 2;
    for (const float value : {low, std::nextafter(tie, 0.0f), tie, std::nextafter(tie, 448.0f)}) {
      points.push_back(value);
      points.push_back(-value);
    }
  }
  const CastCase c{1,    127,  128 * 8, FloatType::f32, ScaleFormat::f32, ScaleRecipe::row_1x128,
                   true, false};
  Quantized q(c);
  for (int64_t row = 0; row < c.rows; ++row) {
    for (int64_t k = 0; k < c.columns; ++k) {
      const size_t point = static_cast<size_t>(row + k) % points.size();
      q.source.set(row * q.source_stride + k, k % 128 == row ? 448.0f : points[point]);
    }
  }
  q.run(m.pool, m.isa);
  check_quantized(m, q);
}

// Patterns of f32 drawn over all exponents, subnormals and blocks below the floor included.
void test_random_patterns(const Machine& m, std::mt19937_64& random) {
  for (const ScaleFormat format : {ScaleFormat::f32, ScaleFormat::ue8m0}) {
    const CastCase c{1, 1024, 1024, FloatType::f32, format, ScaleRecipe::row_1x128, false, false};
    Quantized q(c);
    for (int64_t row = 0; row < c.rows; ++row) {
      const uint32_t top = static_cast<uint32_t>(random() % 256);
      for (int64_t k = 0; k < c.columns; ++k) {
        const uint64_t bits = random();
        const uint32_t below = static_cast<uint32_t>(bits >> 40) % 12;
        const uint32_t exponent = top > below ? top - below : 0;
        const auto low = static_cast<uint32_t>(bits) & 0x807fffffu;
        q.source.put(row * q.source_stride + k, low | exponent << 23);
      }
    }
    q.run(m.pool, m.isa);
    check_quantized(m, q);
  }
}

void test_shapes(const Machine& m, std::mt19937_64& random) {
  for (int trial = 0; trial < 240; ++trial) {
    CastCase c{};
    c.groups = 1 + static_cast<int64_t>(random() % 3);
    c.rows = static_cast<int64_t>(random() % 300);
    c.columns = static_cast<int64_t>(random() % (trial % 8 == 0 ? 1300 : 300));
    c.type = kTypes[trial % 3];
    c.recipe = kRecipes[trial / 3 % 3];
    c.format = trial / 9 % 2 ? ScaleFormat::ue8m0 : ScaleFormat::f32;
    c.transpose = trial / 18 % 2;
    c.mn_major = random() % 2;
    Quantized q(c);
    const bool special = random() % 2;
    for (int64_t r = 0; r < c.groups * c.rows; ++r) {
      for (int64_t k = 0; k < c.columns; ++k) {
        q.source.set(r * q.source_stride + k, draw_value(random, special));
      }
    }
    q.run(m.pool, m.isa);
    check_quantized(m, q);
  }
}

bool same_float(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

void test_dequantize(const Machine& m, std::mt19937_64& random) {
  for (int trial = 0; trial < 90; ++trial) {
    const CastCase c{1 + trial % 2,
                     static_cast<int64_t>(random() % 280),
                     static_cast<int64_t>(random() % 2300),
                     kTypes[trial % 3],
                     random() % 2 ? ScaleFormat::ue8m0 : ScaleFormat::f32,
                     kRecipes[trial / 3 % 3],
                     random() % 2 == 0,
                     false};
    Quantized q(c);
    for (uint8_t& value : q.values) value = static_cast<uint8_t>(random());
    const int64_t cells = static_cast<int64_t>(q.scales.bytes.size());
    for (int64_t i = 0; i < (c.format == ScaleFormat::f32 ? cells / 4 : cells); ++i) {
      if (c.format == ScaleFormat::f32) {
        static_cast<float*>(q.scales.grid.data)[i] = draw_value(random, true);
      } else {
        static_cast<uint8_t*>(q.scales.grid.data)[i] = static_cast<uint8_t>(random());
      }
    }
    DequantizeArgs args{q.values.data(),
                        c.groups,
                        c.rows,
                        c.columns,
                        c.rows * q.value_stride,
                        q.value_stride,
                        c.recipe,
                        q.scales.grid,
                        q.source.data(),
                        c.type,
                        c.rows * q.source_stride,
                        q.source_stride};
    dequantize(m.pool, m.isa, args);
    int64_t wrong = 0;
    for (int64_t g = 0; g < c.groups; ++g) {
      for (int64_t r = 0; r < c.rows; ++r) {
        for (int64_t k = 0; k < c.columns; ++k) {
          const int64_t at = q.scales.at(g, r / q.grid.block_rows, k / q.grid.block_columns);
          const float scale =
              c.format == ScaleFormat::f32 ? q.scales.f32(at) : decode_ue8m0(q.scales.code(at));
          const size_t from = static_cast<size_t>((g * c.rows + r) * q.value_stride + k);
          FloatArray expected(c.type, 1);
          expected.set(0, decode_e4m3(q.values[from]) * scale);
          wrong += !same_float(q.source_at(g, r, k), expected.get(0));
        }
      }
    }
    checkf(wrong == 0, "%s: dequantize %ldx%ld recipe %d: %ld wrong", isa_name(m.isa), c.rows,
           c.columns, static_cast<int>(c.recipe), wrong);
  }
}

void test_transpose(const Machine& m, std::mt19937_64& random) {
  for (int trial = 0; trial < 40; ++trial) {
    const auto groups = static_cast<int64_t>(1 + random() % 2);
    const auto rows = static_cast<int64_t>(random() % 300);
    const auto columns = static_cast<int64_t>(random() % 300);
    std::vector<uint8_t> source(static_cast<size_t>(groups * rows * (columns + 7)));
    for (uint8_t& byte : source) byte = static_cast<uint8_t>(random());
    std::vector<uint8_t> out(static_cast<size_t>(groups * columns * (rows + 3)), kPoison);
    transpose_bytes(m.pool, m.isa,
                    {source.data(), groups, rows, columns, rows * (columns + 7), columns + 7,
                     out.data(), columns * (rows + 3), rows + 3});
    int64_t wrong = 0;
    for (int64_t c = 0; c < groups * columns; ++c) {
      for (int64_t r = 0; r < rows + 3; ++r) {
        const int64_t from = (c / columns * rows + r) * (columns + 7) + c % columns;
        const uint8_t expected = r < rows ? source[static_cast<size_t>(from)] : kPoison;
        wrong += out[static_cast<size_t>(c * (rows + 3) + r)] != expected;
      }
    }
    checkf(wrong == 0, "%s: transpose %ldx%ld: %ld wrong", isa_name(m.isa), rows, columns, wrong);
  }
}

void test_scale_grids(const Machine& m, std::mt19937_64& random) {
  for (int trial = 0; trial < 60; ++trial) {
    const int64_t groups = 1 + trial % 3;
    const Grid shape{static_cast<int64_t>(random() % 150), static_cast<int64_t>(random() % 150), 1,
                     1};
    const bool widen = trial % 3 == 0;
    const ScaleFormat format = trial % 3 == 1 ? ScaleFormat::f32 : ScaleFormat::ue8m0;
    GridStorage source(format, groups, shape, trial % 2);
    for (uint8_t& byte : source.bytes) byte = static_cast<uint8_t>(random());
    GridStorage out(widen ? ScaleFormat::f32 : format, groups, shape, trial / 2 % 2);
    const bool exact =
        relayout_scales(m.pool, m.isa, {source.grid, out.grid, groups, shape.rows, shape.columns});
    int64_t wrong = !exact;
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t c = 0; c < shape.columns; ++c) {
        for (int64_t r = 0; r < std::max(shape.rows, out.grid.padded_rows); ++r) {
          const int64_t to = out.at(g, r, c);
          if (r >= shape.rows) {
            wrong += !out.is_zero(to);
          } else if (widen) {
            wrong += !same_float(out.f32(to), decode_ue8m0(source.code(source.at(g, r, c))));
          } else if (format == ScaleFormat::f32) {
            wrong += std::bit_cast<uint32_t>(out.f32(to)) !=
                     std::bit_cast<uint32_t>(source.f32(source.at(g, r, c)));
          } else {
            wrong += out.code(to) != source.code(source.at(g, r, c));
          }
        }
      }
    }
    checkf(wrong == 0, "relayout %ldx%ld: %ld wrong", shape.rows, shape.columns, wrong);
  }
}

// f32 -> ue8m0 keeps every power of two, and refuses everything else with the NaN code.
void test_narrowing_scales(const Machine& m) {
  std::vector<uint8_t> codes(255);
  std::vector<float> scales(255);
  for (size_t i = 0; i < 255; ++i) codes[i] = static_cast<uint8_t>(i);
  convert_scales(m.pool, m.isa, codes.data(), scales.data(), 255);
  std::vector<uint8_t> back(255, kPoison);
  const ScaleGrid source{scales.data(), ScaleFormat::f32, 0, 255, 1, 0};
  const ScaleGrid out{back.data(), ScaleFormat::ue8m0, 0, 255, 1, 0};
  checkf(relayout_scales(m.pool, m.isa, {source, out, 1, 1, 255}), "refused a power of two");
  checkf(back == codes, "a power of two changed");
  for (const float bad : {0.0f, -1.0f, 3.0f, INFINITY, std::nanf(""), 1e-44f}) {
    scales[7] = bad;
    checkf(!relayout_scales(m.pool, m.isa, {source, out, 1, 1, 255}), "took %g", bad);
    checkf(back[7] == 0xff, "the cell of %g is %d", bad, back[7]);
  }
}

void test_conversions(const Machine& m, std::mt19937_64& random) {
  constexpr int64_t kCount = 65536 * 4 + 5;
  for (const FloatType from : kTypes) {
    FloatArray source(from, kCount);
    for (int64_t i = 0; i < kCount; ++i) {
      const uint64_t bits = random();
      if (from != FloatType::f32) {
        source.put(i, static_cast<uint16_t>(i));
      } else if (i % 2) {
        source.put(i, static_cast<uint32_t>(bits));
      } else {  // near a tie of either 16-bit type, in the exponents of f16
        const uint32_t high = static_cast<uint32_t>(bits >> 32) & 0x8000e000u;
        const uint32_t exponent = 100 + static_cast<uint32_t>(bits >> 20) % 46;
        const uint32_t tie = bits & 1 ? 0x1000u : 0x8000u;
        source.put(i, (high | exponent << 23 | tie) + static_cast<uint32_t>(bits >> 8) % 3 - 1);
      }
    }
    for (const FloatType to : kTypes) {
      FloatArray out(to, kCount);
      convert_floats(m.pool, m.isa, {source.data(), from, out.data(), to, kCount});
      int64_t wrong = 0;
      for (int64_t i = 0; i < kCount; ++i) {
        FloatArray expected(to, 1);
        expected.set(0, source.get(i));
        wrong += to == FloatType::f32 ? out.read<uint32_t>(i) != expected.read<uint32_t>(0)
                                      : out.read<uint16_t>(i) != expected.read<uint16_t>(0);
      }
      // bf16 -> bf16 and f16 -> f16 quieten a signalling NaN like every other pair.
      checkf(wrong == 0, "%s: convert %d -> %d: %ld wrong", isa_name(m.isa), static_cast<int>(from),
             static_cast<int>(to), wrong);
    }
  }
}

void for_each_machine(void (*run)(const Machine&, std::mt19937_64&)) {
  for (const int threads : {1, 2}) {
    Pool pool(threads);
    for (const Isa isa : available_isas()) {
      std::mt19937_64 random(7);
      run({pool, isa}, random);
    }
  }
}

const Case kHalves("every f16 and bf16 pattern is quantised as the rule says", [] {
  for_each_machine([](const Machine& m, std::mt19937_64&) { test_every_half(m); });
});
const Case kTies("every tie between e4m3 codes goes to the even one", [] {
  for_each_machine([](const Machine& m, std::mt19937_64&) { test_every_tie(m); });
});
const Case kPatterns("f32 of every magnitude is quantised as the rule says",
                     [] { for_each_machine(test_random_patterns); });
const Case kShapes("any shape, recipe, orientation and transposition is quantised as the rule says",
                   [] { for_each_machine(test_shapes); });
const Case kDequantize("dequantize multiplies every code by its block's scale",
                       [] { for_each_machine(test_dequantize); });
const Case kTranspose("transpose_bytes moves every byte and nothing else",
                      [] { for_each_machine(test_transpose); });
const Case kGrids("relayout_scales keeps every scale and zeroes the padding",
                  [] { for_each_machine(test_scale_grids); });
const Case kNarrowing("relayout_scales narrows powers of two and refuses all else", [] {
  for_each_machine([](const Machine& m, std::mt19937_64&) { test_narrowing_scales(m); });
});
const Case kConversions("conversions round to nearest even and keep NaN",
                        [] { for_each_machine(test_conversions); });

}  // namespace
}  // namespace deepgemm::cpu::test
