#include <cstring>
#include <limits>
#include <string>

#include "check.hpp"
#include "deepgemm/cpu/gemm.hpp"
#include "reference.hpp"

namespace deepgemm::cpu::test {
namespace {

struct Shape {
  int64_t m, n, k;
};

std::string describe(Isa isa, const GemmTask& task) {
  return std::string(isa_name(isa)) + " " + std::to_string(task.m) + "x" + std::to_string(task.n) +
         "x" + std::to_string(task.k) + (task.out == OutType::f32 ? " f32" : " bf16") +
         (task.accumulate ? " accumulate" : "") + " scale rows " +
         std::to_string(task.a.scale_block_rows) + "/" + std::to_string(task.b.scale_block_rows);
}

void try_shape(Random& random, Pool& pool, Isa isa, Shape shape) {
  const Matrix a(random, shape.m, shape.k, random.chance(0.7) ? 1 : 128, random.chance(0.5));
  const Matrix b(random, shape.n, shape.k, random.chance(0.5) ? 1 : 128, random.chance(0.5));
  Output output(random, shape.m, shape.n, random.chance(0.5) ? OutType::f32 : OutType::bf16);
  const GemmTask task{.m = shape.m,
                      .n = shape.n,
                      .k = shape.k,
                      .a = a.operand,
                      .b = b.operand,
                      .d = output.d(),
                      .d_row_stride = output.stride,
                      .out = output.out,
                      .accumulate = random.chance(0.3)};
  const std::vector<float> before = output.values();
  gemm(pool, isa, {&task, 1});
  const std::string what = describe(isa, task);
  const std::string difference = compare(task, before);
  check(difference.empty(), what + ": " + difference);
  check(output.margins_untouched(), what + ": wrote beyond its columns");
  if (task.m <= kFewRows || task.accumulate) return;
  const Panels panels(b);
  Output packed = output;
  GemmTask again = task;
  again.b = panels.operand;
  again.d = packed.d();
  gemm(pool, isa, {&again, 1});
  check(packed.words == output.words && packed.halves == output.halves,
        what + ": prepacked weights give other bits");
}

void random_shapes() {
  Pool one(1), three(3);
  for (const Isa isa : available_isas()) {
    Random random(11);
    for (int i = 0; i < 400; ++i) {
      const int64_t m = random.chance(0.5) ? random.between(0, 20) : random.between(0, 70);
      const Shape shape{m, random.between(0, 100), random.between(0, 400)};
      try_shape(random, random.chance(0.5) ? one : three, isa, shape);
    }
  }
}

// Shapes that reach every blocking: several slabs, chunks of K and panels per unit.
void large_shapes() {
  Pool pool(2);
  for (const Isa isa : available_isas()) {
    Random random(12);
    for (const Shape shape :
         {Shape{1, 70, 4500}, Shape{130, 300, 2177}, Shape{300, 290, 1100}, Shape{3, 3, 40000},
          Shape{5, 37, 2064}, Shape{16, 100, 3000}, Shape{40, 64, 9000}, Shape{130, 70, 5000}}) {
      try_shape(random, pool, isa, shape);
    }
  }
}

void every_code() {
  Pool pool(1);
  for (const Isa isa : available_isas()) {
    // 256 weight rows of one element, one activation of 1: D lists the codes' values.
    uint8_t codes[256];
    for (int i = 0; i < 256; ++i) codes[i] = static_cast<uint8_t>(i);
    const uint8_t one = 0x38;
    const float scale = 1;
    float d[256];
    const Operand a{&one, 1, &scale, 0, 0, 1};
    const Operand b{codes, 1, &scale, 0, 0, 1};
    const GemmTask as_weight{1, 256, 1, a, b, d, 256, OutType::f32, false};
    const GemmTask as_activation{256, 1, 1, b, a, d, 1, OutType::f32, false};
    for (const GemmTask& task : {as_weight, as_activation}) {
      gemm(pool, isa, {&task, 1});
      for (int i = 0; i < 256; ++i) {
        const double expected = decode_e4m3(static_cast<uint8_t>(i));
        const bool is_nan = (i & 0x7f) == 0x7f;
        check(is_nan ? d[i] != d[i] : static_cast<double>(d[i]) == expected,
              std::string(isa_name(isa)) + " code " + std::to_string(i));
      }
    }
  }
}

void nan_stays_in_its_row_and_column() {
  Pool pool(1);
  for (const Isa isa : available_isas()) {
    Random random(13);
    const Matrix a(random, 9, 200, 1, false);
    const Matrix b(random, 40, 200, 128, false);
    a.values->data()[3 * a.operand.row_stride + 150] = 0xff;
    b.values->data()[17 * b.operand.row_stride + 10] = 0x7f;
    for (const OutType out : {OutType::f32, OutType::bf16}) {
      Output output(random, 9, 40, out);
      const GemmTask task{9, 40, 200, a.operand, b.operand, output.d(), output.stride, out, false};
      gemm(pool, isa, {&task, 1});
      for (int64_t r = 0; r < 9; ++r) {
        for (int64_t c = 0; c < 40; ++c) {
          const float value = output.at(r, c);
          check((value != value) == (r == 3 || c == 17), std::string(isa_name(isa)) + " NaN at " +
                                                             std::to_string(r) + ", " +
                                                             std::to_string(c));
        }
      }
    }
  }
}

// D of the rows of `a`, computed in tasks of `fewest` to `most` rows each.
std::vector<float> in_parts(Random& random, Pool& pool, Isa isa, const Matrix& a, const Operand& b,
                            int64_t n, int64_t fewest, int64_t most) {
  std::vector<float> d(static_cast<size_t>(a.rows * n));
  for (int64_t row = 0; row < a.rows;) {
    const int64_t wanted = random.between(fewest, most);
    const int64_t left = a.rows - row;
    const int64_t rows = left - wanted < fewest ? left : wanted;
    Operand part = a.operand;
    part.values += row * part.row_stride;
    part.scales += row * part.scale_row_stride;
    const GemmTask task{rows, n, a.k, part, b, d.data() + row * n, n, OutType::f32, false};
    gemm(pool, isa, {&task, 1});
    row += rows;
  }
  return d;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The same rows must give the same bits in a small batch, in a large one, and with any thread
// count.
void bits_do_not_depend_on_company() {
  Pool one(1), three(3);
  for (const Isa isa : available_isas()) {
    Random random(14);
    const std::string name = isa_name(isa);
    const int64_t n = 300, k = 4500;
    const Matrix a(random, 150, k, 1, false);
    const Matrix b(random, n, k, 128, false);
    const Panels panels(b);
    const auto parts = [&](Pool& pool, const Operand& weights, int64_t fewest, int64_t most) {
      return in_parts(random, pool, isa, a, weights, n, fewest, most);
    };
    const auto together = parts(one, b.operand, a.rows, a.rows);
    check(same_bits(together, parts(three, b.operand, a.rows, a.rows)),
          name + ": bits differ between 1 and 3 threads");
    check(same_bits(together, parts(one, b.operand, kFewRows + 1, 20)),
          name + ": rows differ between a small and a large batch");
    check(same_bits(parts(one, b.operand, 1, 1), parts(three, b.operand, kFewRows, kFewRows)),
          name + ": rows differ between batches of few rows");
    check(same_bits(together, parts(three, panels.operand, 1, 20)),
          name + ": rows differ between prepacked weights and plain ones");
  }
}

void isa_names_round_trip() {
  for (const Isa isa : available_isas()) check(parse_isa(isa_name(isa)) == isa, isa_name(isa));
  check(!parse_isa("sse9"), "an unknown name parses to nothing");
  check(!available_isas().empty(), "some instruction set is always available");
}

const Case kCases[] = {
    {"gemm agrees with float64 on random shapes", random_shapes},
    {"gemm agrees with float64 on shapes of every blocking", large_shapes},
    {"gemm decodes every e4m3 code exactly on both sides", every_code},
    {"NaN reaches its row and its column and nothing else", nan_stays_in_its_row_and_column},
    {"bits depend on neither batch, threads nor prepacking", bits_do_not_depend_on_company},
    {"instruction set names round trip", isa_names_round_trip},
};

}  // namespace
}  // namespace deepgemm::cpu::test
