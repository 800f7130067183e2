// Activation and combination against float64 and against f32 operations done one by one.
#include <cmath>

#include "moe_fixture.hpp"

namespace deepgemm::cpu::test {
namespace {

constexpr FloatType kTypes[] = {FloatType::f32, FloatType::f16, FloatType::bf16};

// A row set of each kind, and which rows it names.
struct DrawnSet {
  RowSet set;
  std::vector<int32_t> numbers;
  std::vector<bool> valid;

  DrawnSet(Random& random, int kind) : numbers(64) {
    set.rows_per_group = random.between(1, 6);
    set.rows = set.rows_per_group * random.between(1, 8);
    for (int64_t row = 0; row < set.rows; ++row) {
      const int64_t group = row / set.rows_per_group;
      if (row % set.rows_per_group == 0) {
        numbers[size_of(group)] = static_cast<int32_t>(random.between(0, set.rows_per_group));
      }
    }
    if (kind == 1) {
      numbers[0] = static_cast<int32_t>(random.between(-1, set.rows + 2));
      set.row_count = numbers.data();
    } else if (kind == 2) {
      for (int32_t& number : numbers) number = static_cast<int32_t>(random.between(-1, 3));
      set.group_index = numbers.data();
    } else if (kind == 3) {
      set.group_sizes = numbers.data();
    }
    for (int64_t row = 0; row < set.rows; ++row) {
      const int32_t size = numbers[size_of(row / set.rows_per_group)];
      valid.push_back(kind == 0 || (kind == 1 && row < numbers[0]) ||
                      (kind == 2 && numbers[size_of(row)] >= 0) ||
                      (kind == 3 && row % set.rows_per_group < size));
    }
  }
};

double exact_swiglu(double gate, double up) { return gate / (1 + std::exp(-gate)) * up; }

const Case kSwiglu("swiglu is within 4 units in the last place of float64 on valid rows only", [] {
  Random random(15);
  for (int trial = 0; trial < 120; ++trial) {
    Pool pool(1 + trial % 2);
    DrawnSet drawn(random, trial % 4);
    const FloatType type = kTypes[trial % 3];
    const int64_t columns = random.between(1, trial % 10 == 0 ? 2500 : 300);
    FloatArray input(type, drawn.set.rows * (2 * columns + 3));
    for (int64_t i = 0; i < drawn.set.rows * (2 * columns + 3); ++i) {
      input.set(i, static_cast<float>(random.unit() * (random.chance(0.1) ? 400 : 10)) *
                       (random.chance(0.5) ? 1.0f : -1.0f));
    }
    for (const Isa isa : available_isas()) {
      FloatArray out(FloatType::f32, drawn.set.rows * (columns + 1));
      for (int64_t i = 0; i < drawn.set.rows * (columns + 1); ++i) out.set(i, -77.0f);
      swiglu(pool, isa,
             {drawn.set, columns, input.data(), type, 2 * columns + 3, out.data(), FloatType::f32,
              columns + 1});
      int64_t wrong = 0;
      for (int64_t row = 0; row < drawn.set.rows; ++row) {
        for (int64_t c = 0; c <= columns; ++c) {
          const float got = out.get(row * (columns + 1) + c);
          if (c == columns || !drawn.valid[size_of(row)]) {
            wrong += got != -77.0f;
            continue;
          }
          const double gate = static_cast<double>(input.get(row * (2 * columns + 3) + c));
          const double up = static_cast<double>(input.get(row * (2 * columns + 3) + columns + c));
          const double expected = exact_swiglu(gate, up);
          // exp(-gate) overflows f32 below -88.7, where the result underflows towards zero
          wrong += std::fabs(static_cast<double>(got) - expected) >
                   4 * 0x1p-23 * std::fabs(expected) + (gate < -87 ? 1e-33 : 0);
        }
      }
      checkf(wrong == 0, "%s: %ld activations are wrong", isa_name(isa), wrong);
    }
  }
});

const Case kSwigluQuantize("swiglu_quantize equals swiglu to f32 followed by quantize", [] {
  Random random(16);
  for (int trial = 0; trial < 120; ++trial) {
    Pool pool(1 + trial % 2);
    DrawnSet drawn(random, trial % 4);
    const FloatType type = trial % 2 ? FloatType::bf16 : FloatType::f32;
    const ScaleFormat format = trial % 3 ? ScaleFormat::f32 : ScaleFormat::ue8m0;
    const int64_t columns = random.between(1, trial % 10 == 0 ? 2500 : 300);
    const int64_t rows = drawn.set.rows;
    FloatArray input(type, rows * 2 * columns);
    for (int64_t i = 0; i < rows * 2 * columns; ++i) {
      input.set(i, static_cast<float>(random.unit() * 8 - 4));
    }
    std::vector<float> activation(size_of(rows * columns));
    RowSet all;
    all.rows = rows;
    swiglu(pool, Isa::baseline,
           {all, columns, input.data(), type, 2 * columns, activation.data(), FloatType::f32,
            columns});
    std::vector<uint8_t> expected(activation.size());
    std::vector<uint8_t> scale_bytes;
    const ScaleGrid scales = grid_on(scale_bytes, format, rows, (columns + 127) / 128, false);
    quantize(pool, Isa::baseline,
             {activation.data(), FloatType::f32, 1, rows, columns, 0, columns, expected.data(), 0,
              columns, ScaleRecipe::row_1x128, scales, false});
    for (const Isa isa : available_isas()) {
      std::vector<uint8_t> values(size_of(rows * (columns + 2)), kPoison);
      std::vector<uint8_t> got_bytes;
      const ScaleGrid got =
          grid_on(got_bytes, format, rows, (columns + 127) / 128, random.chance(0.5));
      swiglu_quantize(
          pool, isa,
          {drawn.set, columns, input.data(), type, 2 * columns, values.data(), columns + 2, got});
      int64_t wrong = 0;
      for (int64_t row = 0; row < rows; ++row) {
        const bool valid = drawn.valid[size_of(row)];
        for (int64_t c = 0; c < columns + 2; ++c) {
          const bool inside = valid && c < columns;
          wrong += values[size_of(row * (columns + 2) + c)] !=
                   (inside ? expected[size_of(row * columns + c)] : kPoison);
        }
        for (int64_t block = 0; block < (columns + 127) / 128; ++block) {
          const uint32_t poison = format == ScaleFormat::f32 ? 0xa5a5a5a5u : 0xa5u;
          wrong += scale_bits(got, row, block) != (valid ? scale_bits(scales, row, block) : poison);
        }
      }
      checkf(wrong == 0, "%s: %ld values or scales differ", isa_name(isa), wrong);
    }
  }
});

struct CombineCase {
  int64_t tokens;
  int64_t top_k;
  int64_t columns;
  int64_t row_count;
  bool with_addend;
  std::vector<int32_t> destination;
  std::vector<float> weights;
  FloatArray rows;
  FloatArray addend;
};

// Every product and sum rounded to f32 by itself, in the order of j.
float expected_sum(const CombineCase& c, int64_t token, int64_t column) {
  volatile float sum = 0.0f;
  for (int64_t slot = token * c.top_k; slot < (token + 1) * c.top_k; ++slot) {
    const int64_t row = c.destination[size_of(slot)];
    if (row < 0 || row >= c.row_count) continue;
    const volatile float product = c.weights[size_of(slot)] * c.rows.get(row * c.columns + column);
    sum = sum + product;
  }
  if (c.with_addend) sum = sum + c.addend.get(token * c.columns + column);
  return sum;
}

const Case kCombine("combine adds in the order of j, bit for bit, and skips dropped slots", [] {
  Random random(17);
  for (int trial = 0; trial < 120; ++trial) {
    Pool pool(1 + trial % 2);
    const int64_t tokens = random.between(0, 20);
    const int64_t top_k = random.between(1, 9);
    const int64_t columns = random.between(1, trial % 10 == 0 ? 5000 : 200);
    CombineCase c{tokens,
                  top_k,
                  columns,
                  30,
                  random.chance(0.5),
                  {},
                  {},
                  FloatArray(kTypes[trial % 3], 30 * columns),
                  FloatArray(kTypes[trial / 3 % 3], tokens * columns)};
    for (int64_t i = 0; i < 30 * columns; ++i) {
      c.rows.set(i, static_cast<float>(random.unit() * 4 - 2));
    }
    for (int64_t i = 0; i < tokens * columns; ++i) {
      c.addend.set(i, static_cast<float>(random.unit() * 4 - 2));
    }
    for (int64_t i = 0; i < tokens * top_k; ++i) {
      c.destination.push_back(static_cast<int32_t>(random.between(-1, 30)));
      c.weights.push_back(static_cast<float>(random.unit()));
    }
    const FloatType out_type = kTypes[trial / 9 % 3];
    for (const Isa isa : available_isas()) {
      FloatArray out(out_type, tokens * (columns + 1));
      CombineArgs args{c.destination.data(),
                       c.weights.data(),
                       tokens,
                       top_k,
                       columns,
                       c.rows.data(),
                       c.rows.type(),
                       columns,
                       c.row_count,
                       c.with_addend ? c.addend.data() : nullptr,
                       c.addend.type(),
                       columns,
                       out.data(),
                       out_type,
                       columns + 1};
      combine(pool, isa, args);
      int64_t wrong = 0;
      for (int64_t i = 0; i < tokens * columns; ++i) {
        FloatArray expected(out_type, 1);
        expected.set(0, expected_sum(c, i / columns, i % columns));
        wrong += out.get(i / columns * (columns + 1) + i % columns) != expected.get(0);
      }
      checkf(wrong == 0, "%s: %ld sums are wrong", isa_name(isa), wrong);
    }
  }
});

}  // namespace
}  // namespace deepgemm::cpu::test
