#include "grouped/weights.hpp"

namespace deepgemm::cpu {

std::vector<GemmTask> masked_tasks(const MaskedRows& layout, std::span<const int32_t> sizes) {
  std::vector<GemmTask> tasks;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) continue;
    const int64_t group = static_cast<int64_t>(i);
    GemmTask task{.m = sizes[i],
                  .n = layout.n,
                  .k = layout.k,
                  .a = layout.a,
                  .b = weights_of(layout.b, group),
                  .d = output_at(layout.d, group * layout.d_group_stride, layout.out),
                  .d_row_stride = layout.d_row_stride,
                  .out = layout.out,
                  .accumulate = layout.accumulate};
    task.a.values += group * layout.a_group_stride;
    task.a.scales += group * layout.a_group_scale_stride;
    tasks.push_back(task);
  }
  return tasks;
}

int64_t first_bad_masked_size(std::span<const int32_t> sizes, int64_t max_rows) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0 || sizes[i] > max_rows) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace deepgemm::cpu
