#include "grouped/weights.hpp"

namespace deepgemm::cpu {
namespace {

Operand part_of_k(Operand operand, int64_t k, int64_t block) {
  operand.values += k;
  operand.scales += block * operand.scale_k_stride;
  return operand;
}

}  // namespace

std::vector<GemmTask> k_grouped_tasks(const GroupedK& layout, std::span<const int32_t> sizes) {
  std::vector<GemmTask> tasks;
  int64_t k = 0;
  int64_t block = 0;
  for (size_t group = 0; group < sizes.size(); ++group) {
    const int64_t d_elements = static_cast<int64_t>(group) * layout.d_group_stride;
    tasks.push_back({.m = layout.m,
                     .n = layout.n,
                     .k = sizes[group],
                     .a = part_of_k(layout.a, k, block),
                     .b = part_of_k(layout.b, k, block),
                     .d = output_at(layout.d, d_elements, layout.out),
                     .d_row_stride = layout.d_row_stride,
                     .out = layout.out,
                     .accumulate = layout.accumulate});
    k += sizes[group];
    block += (sizes[group] + kScaleBlockK - 1) / kScaleBlockK;
  }
  return tasks;
}

int64_t first_bad_k_size(std::span<const int32_t> sizes, int64_t total_k) {
  int64_t sum = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0) return static_cast<int64_t>(i);
    sum += sizes[i];
    if (sum > total_k) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace deepgemm::cpu
