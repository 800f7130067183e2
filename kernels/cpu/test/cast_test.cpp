// Quantisation against the definitions of float_reference.hpp, bit for bit, on every instruction
// set.
#include "cast_fixture.hpp"

namespace deepgemm::cpu::test {
namespace {

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
}  // namespace
}  // namespace deepgemm::cpu::test
