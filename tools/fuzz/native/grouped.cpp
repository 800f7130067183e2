// Products whose groups come from memory: what is refused, what is written, and the same bits for
// any number of threads.

#include "deepgemm/cpu/grouped.hpp"

#include <algorithm>

#include "fuzz.hpp"

namespace deepgemm::fuzz {
namespace {

constexpr uint32_t kPoison = 0x7fd5a5d5;

// The rules of the layouts, as the header states them.
int64_t bad_group_index(const std::vector<int32_t>& index, int64_t groups) {
  for (size_t i = 0; i < index.size(); i++) {
    if (index[i] < -1 || index[i] >= groups) return int64_t(i);
  }
  return -1;
}

int64_t bad_offset(const std::vector<int32_t>& offsets, int64_t rows) {
  int64_t last = 0;
  for (size_t i = 0; i < offsets.size(); i++) {
    if (offsets[i] < last || offsets[i] > rows) return int64_t(i);
    last = offsets[i];
  }
  return -1;
}

int64_t bad_masked_size(const std::vector<int32_t>& sizes, int64_t most) {
  for (size_t i = 0; i < sizes.size(); i++) {
    if (sizes[i] < 0 || sizes[i] > most) return int64_t(i);
  }
  return -1;
}

int64_t bad_k_size(const std::vector<int32_t>& sizes, int64_t most) {
  int64_t sum = 0;
  for (size_t i = 0; i < sizes.size(); i++) {
    if (sizes[i] < 0 || (sum += sizes[i]) > most) return int64_t(i);
  }
  return -1;
}

// An operand [rows, k] in memory of exactly its size, its scales as wide as its blocks.
struct Matrix {
  Matrix(Input& input, int64_t rows, int64_t k, int32_t block_rows, int64_t blocks)
      : values(any_values<uint8_t>(input, rows * k)),
        scales(any_values<float>(input, (rows + block_rows - 1) / block_rows * blocks)),
        operand{values.data(), k, scales.data(), blocks, 1, block_rows} {}
  std::vector<uint8_t> values;
  std::vector<float> scales;
  cpu::Operand operand;
};

int64_t blocks_of(int64_t k) { return (k + 127) / 128; }

// Runs the tasks on one thread, sometimes also on three, and gives D, which held poison.
template <typename Tasks>
std::vector<uint32_t> run_twice(Input& input, size_t cells, Tasks tasks_into) {
  const cpu::Isa isa = any_isa(input);
  std::vector<uint32_t> one(cells, kPoison);
  one.reserve(1);
  cpu::gemm(pool_of(1), isa, tasks_into(one.data()));
  if (!takes_turns(input)) return one;
  std::vector<uint32_t> three(cells, kPoison);
  three.reserve(1);
  cpu::gemm(pool_of(3), isa, tasks_into(three.data()));
  require(same_bytes(one, three), "D depends on the number of threads");
  return one;
}

void require_written(const std::vector<uint32_t>& d, int64_t row, int64_t n, bool written) {
  for (int64_t j = 0; j < n; j++) {
    const bool poison = d[static_cast<size_t>(row * n + j)] == kPoison;
    require(poison != written, written ? "a row was not written" : "a row was written");
  }
}

cpu::GroupedRows rows_layout(Matrix& a, Matrix& b, int64_t rows, int64_t n, int64_t k,
                             int64_t groups) {
  cpu::GroupedRows layout;
  layout.rows = rows;
  layout.n = n;
  layout.k = k;
  layout.a = a.operand;
  layout.b = {b.operand, n * k, (n + 127) / 128 * blocks_of(k), groups};
  layout.d_row_stride = n;
  layout.out = cpu::OutType::f32;
  return layout;
}

struct Extents {
  explicit Extents(Input& input)
      : groups(1 + extent(input, 4)),
        rows(extent(input, 40)),
        n(1 + extent(input, 40)),
        k(extent(input, 300)) {}
  int64_t groups, rows, n, k;
};

// Weights of all groups, one after another, each with scales of its own.
Matrix weights(Input& input, const Extents& e) {
  Matrix b(input, e.groups * e.n, e.k, 128, blocks_of(e.k));
  b.scales = any_values<float>(input, e.groups * ((e.n + 127) / 128) * blocks_of(e.k));
  b.operand.scales = b.scales.data();
  return b;
}

void contiguous(Input& input, const Extents& e, Matrix& a, Matrix& b) {
  const std::vector<int32_t> index = any_indices(input, e.rows, int32_t(e.groups));
  const int64_t bad = cpu::first_bad_group_index(index, e.groups);
  require(bad == bad_group_index(index, e.groups), "the first bad group index");
  if (bad >= 0) return;
  cpu::GroupedRows layout = rows_layout(a, b, e.rows, e.n, e.k, e.groups);
  const auto d = run_twice(input, size_t(e.rows * e.n), [&](uint32_t* to) {
    layout.d = to;
    return cpu::contiguous_tasks(layout, index);
  });
  for (int64_t row = 0; row < e.rows; row++) require_written(d, row, e.n, true);
}

void packed(Input& input, const Extents& e, Matrix& a, Matrix& b) {
  std::vector<int32_t> offsets = any_indices(input, e.groups + 1, int32_t(e.rows));
  if (input.ConsumeBool()) std::ranges::sort(offsets);
  const int64_t bad = cpu::first_bad_offset(offsets, e.rows);
  require(bad == bad_offset(offsets, e.rows), "the first bad offset");
  if (bad >= 0) return;
  cpu::GroupedRows layout = rows_layout(a, b, e.rows, e.n, e.k, e.groups);
  const auto d = run_twice(input, size_t(e.rows * e.n), [&](uint32_t* to) {
    layout.d = to;
    return cpu::packed_tasks(layout, offsets);
  });
  for (int64_t row = 0; row < e.rows; row++) {
    require_written(d, row, e.n, row >= offsets.front() && row < offsets.back());
  }
}

void masked(Input& input, const Extents& e, Matrix& b) {
  const std::vector<int32_t> sizes = any_indices(input, e.groups, int32_t(e.rows));
  const int64_t bad = cpu::first_bad_masked_size(sizes, e.rows);
  require(bad == bad_masked_size(sizes, e.rows), "the first bad size");
  if (bad >= 0) return;
  Matrix a(input, e.groups * e.rows, e.k, 1, blocks_of(e.k));
  cpu::MaskedRows layout;
  layout.max_rows = e.rows;
  layout.n = e.n;
  layout.k = e.k;
  layout.a = a.operand;
  layout.a_group_stride = e.rows * e.k;
  layout.a_group_scale_stride = e.rows * blocks_of(e.k);
  layout.b = {b.operand, e.n * e.k, (e.n + 127) / 128 * blocks_of(e.k), e.groups};
  layout.d_row_stride = e.n;
  layout.d_group_stride = e.rows * e.n;
  layout.out = cpu::OutType::f32;
  const auto d = run_twice(input, size_t(e.groups * e.rows * e.n), [&](uint32_t* to) {
    layout.d = to;
    return cpu::masked_tasks(layout, sizes);
  });
  for (int64_t row = 0; row < e.groups * e.rows; row++) {
    require_written(d, row, e.n, row % e.rows < sizes[size_t(row / e.rows)]);
  }
}

}  // namespace

void fuzz_grouped(Input& input) {
  const int layout = input.ConsumeIntegralInRange(0, 2);
  const Extents e(input);
  Matrix b = weights(input, e);
  if (layout == 2) return masked(input, e, b);
  Matrix a(input, e.rows, e.k, 1, blocks_of(e.k));
  if (layout == 0) return contiguous(input, e, a, b);
  packed(input, e, a, b);
}

void fuzz_k_grouped(Input& input) {
  const int64_t groups = extent(input, 5), total = extent(input, 400);
  const int64_t m = extent(input, 20), n = 1 + extent(input, 20);
  const std::vector<int32_t> sizes = any_indices(input, groups, int32_t(total));
  const int64_t bad = cpu::first_bad_k_size(sizes, total);
  require(bad == bad_k_size(sizes, total), "the first bad size of K");
  if (bad >= 0) return;
  int64_t blocks = 0;
  for (const int32_t size : sizes) blocks += blocks_of(size);
  Matrix a(input, m, total, 1, blocks), b(input, n, total, 1, blocks);
  cpu::GroupedK layout;
  layout.m = m;
  layout.n = n;
  layout.total_k = total;
  layout.a = a.operand;
  layout.b = b.operand;
  layout.d_row_stride = n;
  layout.d_group_stride = m * n;
  const auto d = run_twice(input, size_t(groups * m * n), [&](uint32_t* to) {
    layout.d = to;
    return cpu::k_grouped_tasks(layout, sizes);
  });
  for (int64_t row = 0; row < groups * m; row++) require_written(d, row, n, true);
}

}  // namespace deepgemm::fuzz
