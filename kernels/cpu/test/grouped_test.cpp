#include <string>
#include <vector>

#include "check.hpp"
#include "deepgemm/cpu/grouped.hpp"
#include "reference.hpp"

namespace deepgemm::cpu::test {
namespace {

constexpr int64_t kGroups = 5;
constexpr int64_t kN = 70;
constexpr int64_t kK = 300;

// Weights of all groups as one tall matrix: group g's rows start at g * 128, a whole scale block.
struct Weights {
  explicit Weights(Random& random) : matrix(random, kGroups * 128, kK, 128, false) {}
  GroupedWeights all() const {
    return {matrix.operand, 128 * matrix.operand.row_stride, matrix.operand.scale_row_stride,
            kGroups};
  }
  Matrix matrix;
};

GroupedRows rows_layout(int64_t rows, const Matrix& a, const Weights& weights, Output& output) {
  return {.rows = rows,
          .n = kN,
          .k = kK,
          .a = a.operand,
          .b = weights.all(),
          .d = output.d(),
          .d_row_stride = output.stride,
          .out = output.out};
}

// Checks rows [begin, end) of D against one group's weights, or zeros when k is 0.
void check_rows(const GroupedRows& layout, int64_t begin, int64_t end, int64_t group, int64_t k) {
  GemmTask task{.m = end - begin,
                .n = layout.n,
                .k = k,
                .a = layout.a,
                .b = layout.b.first,
                .d = static_cast<float*>(layout.d) + begin * layout.d_row_stride,
                .d_row_stride = layout.d_row_stride,
                .out = OutType::f32};
  task.a.values += begin * layout.a.row_stride;
  task.a.scales += begin * layout.a.scale_row_stride;
  task.b.values += group * layout.b.group_stride;
  task.b.scales += group * layout.b.group_scale_stride;
  const std::string difference = compare(task, {});
  check(difference.empty(), "group " + std::to_string(group) + ": " + difference);
}

void contiguous() {
  Random random(21);
  Pool pool(2);
  const std::vector<int32_t> index{0, 0, 0, -1, -1, 3, 3, 1, 4, 4, 4, 4, -1, 0};
  const int64_t rows = static_cast<int64_t>(index.size());
  const Weights weights(random);
  const Matrix a(random, rows, kK, 1, true);
  Output output(random, rows, kN, OutType::f32);
  const GroupedRows layout = rows_layout(rows, a, weights, output);
  gemm(pool, detect_isa(), contiguous_tasks(layout, index));
  for (int64_t r = 0; r < rows; ++r) {
    const int32_t group = index[static_cast<size_t>(r)];
    check_rows(layout, r, r + 1, group < 0 ? 0 : group, group < 0 ? 0 : kK);
  }
  check(output.margins_untouched(), "margins");
}

void packed() {
  Random random(22);
  Pool pool(2);
  const std::vector<int32_t> offsets{2, 2, 9, 10, 10, 33};
  const int64_t rows = 36;
  const Weights weights(random);
  const Matrix a(random, rows, kK, 1, false);
  Output output(random, rows, kN, OutType::f32);
  const std::vector<float> before = output.values();
  const GroupedRows layout = rows_layout(rows, a, weights, output);
  gemm(pool, detect_isa(), packed_tasks(layout, offsets));
  for (int64_t g = 0; g < kGroups; ++g) {
    check_rows(layout, offsets[static_cast<size_t>(g)], offsets[static_cast<size_t>(g) + 1], g, kK);
  }
  const std::vector<float> after = output.values();
  for (int64_t r = 0; r < rows; ++r) {
    if (r >= 2 && r < 33) continue;
    for (int64_t c = 0; c < kN; ++c) {
      const size_t at = static_cast<size_t>(r * kN + c);
      check(before[at] == after[at], "a row outside all groups was written");
    }
  }
}

void masked() {
  Random random(23);
  Pool pool(2);
  const std::vector<int32_t> sizes{3, 0, 16, 1, 7};
  const int64_t max_rows = 16;
  const Weights weights(random);
  const Matrix a(random, kGroups * max_rows, kK, 1, false);
  Output output(random, kGroups * max_rows, kN, OutType::f32);
  const std::vector<float> before = output.values();
  const MaskedRows layout{.max_rows = max_rows,
                          .n = kN,
                          .k = kK,
                          .a = a.operand,
                          .a_group_stride = max_rows * a.operand.row_stride,
                          .a_group_scale_stride = max_rows * a.operand.scale_row_stride,
                          .b = weights.all(),
                          .d = output.d(),
                          .d_row_stride = output.stride,
                          .d_group_stride = max_rows * output.stride,
                          .out = OutType::f32};
  gemm(pool, detect_isa(), masked_tasks(layout, sizes));
  const GroupedRows flat = rows_layout(kGroups * max_rows, a, weights, output);
  const std::vector<float> after = output.values();
  for (int64_t g = 0; g < kGroups; ++g) {
    const int64_t begin = g * max_rows;
    const int64_t end = begin + sizes[static_cast<size_t>(g)];
    check_rows(flat, begin, end, g, kK);
    for (int64_t at = end * kN; at < (begin + max_rows) * kN; ++at) {
      check(before[static_cast<size_t>(at)] == after[static_cast<size_t>(at)],
            "a row beyond its group's size was written");
    }
  }
}

void k_grouped() {
  Random random(24);
  Pool pool(2);
  const std::vector<int32_t> sizes{130, 0, 128, 1, 41};
  const int64_t m = 20, n = 45, total = 300;
  const int64_t blocks = 2 + 0 + 1 + 1 + 1;
  // Scales have more columns than total / 128: every group starts a new block.
  const Matrix a(random, m, blocks * 128, 1, false);
  const Matrix b(random, n, blocks * 128, 1, true);
  Output output(random, kGroups * m, n, OutType::f32);
  const GroupedK layout{.m = m,
                        .n = n,
                        .total_k = total,
                        .a = a.operand,
                        .b = b.operand,
                        .d = output.d(),
                        .d_row_stride = output.stride,
                        .d_group_stride = m * output.stride};
  const std::vector<GemmTask> tasks = k_grouped_tasks(layout, sizes);
  gemm(pool, detect_isa(), tasks);
  int64_t k = 0, block = 0;
  for (int64_t g = 0; g < kGroups; ++g) {
    const int64_t size = sizes[static_cast<size_t>(g)];
    GemmTask task{.m = m,
                  .n = n,
                  .k = size,
                  .a = a.operand,
                  .b = b.operand,
                  .d = static_cast<float*>(output.d()) + g * m * output.stride,
                  .d_row_stride = output.stride};
    task.a.values += k;
    task.b.values += k;
    task.a.scales += block * a.operand.scale_k_stride;
    task.b.scales += block * b.operand.scale_k_stride;
    const std::string difference = compare(task, {});
    check(difference.empty(), "group " + std::to_string(g) + ": " + difference);
    k += size;
    block += (size + 127) / 128;
  }
}

void bad_arrays_are_found() {
  using Ints = std::vector<int32_t>;
  check(first_bad_group_index(Ints{0, -1, 4}, 5) == -1, "good group indices");
  check(first_bad_group_index(Ints{0, 5}, 5) == 1, "group index too large");
  check(first_bad_group_index(Ints{-2}, 5) == 0, "group index below -1");
  check(first_bad_offset(Ints{0, 3, 3, 8}, 8) == -1, "good offsets");
  check(first_bad_offset(Ints{0, 3, 2, 8}, 8) == 2, "offsets that decrease");
  check(first_bad_offset(Ints{0, 9}, 8) == 1, "offset beyond the rows");
  check(first_bad_offset(Ints{-1, 9}, 8) == 0, "negative offset");
  check(first_bad_masked_size(Ints{0, 16}, 16) == -1, "good sizes");
  check(first_bad_masked_size(Ints{0, 17}, 16) == 1, "size beyond the group's rows");
  check(first_bad_masked_size(Ints{-1}, 16) == 0, "negative size");
  check(first_bad_k_size(Ints{3, 0, 5}, 8) == -1, "good K sizes");
  check(first_bad_k_size(Ints{3, 6}, 8) == 1, "sum beyond K");
  check(first_bad_k_size(Ints{3, -1}, 8) == 1, "negative K size");
  check(first_bad_k_size(Ints{2147483647, 2147483647}, 4294967294) == -1, "sums beyond 32 bits");
}

const Case kCases[] = {
    {"contiguous layout multiplies runs and zeroes padding rows", contiguous},
    {"packed layout multiplies groups and leaves other rows alone", packed},
    {"masked layout leaves rows beyond each size alone", masked},
    {"k-grouped layout restarts scale blocks at each group", k_grouped},
    {"index arrays that break their rule are found", bad_arrays_are_found},
};

}  // namespace
}  // namespace deepgemm::cpu::test
