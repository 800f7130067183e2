// Dequantisation, transposition, scale grids and plain conversions, on every instruction set.
#include "cast_fixture.hpp"

namespace deepgemm::cpu::test {
namespace {

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
