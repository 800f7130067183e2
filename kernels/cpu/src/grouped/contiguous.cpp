#include "grouped/weights.hpp"

namespace deepgemm::cpu {

std::vector<GemmTask> contiguous_tasks(const GroupedRows& layout,
                                       std::span<const int32_t> group_index) {
  std::vector<GemmTask> tasks;
  const int64_t rows = static_cast<int64_t>(group_index.size());
  for (int64_t begin = 0; begin < rows;) {
    const int32_t group = group_index[begin];
    int64_t end = begin + 1;
    while (end < rows && group_index[end] == group) ++end;
    if (group >= 0) {
      tasks.push_back(rows_task(layout, begin, end, group));
    } else {
      GemmTask padding = rows_task(layout, begin, end, 0);
      padding.k = 0;
      tasks.push_back(padding);
    }
    begin = end;
  }
  return tasks;
}

int64_t first_bad_group_index(std::span<const int32_t> group_index, int64_t groups) {
  for (size_t i = 0; i < group_index.size(); ++i) {
    if (group_index[i] < -1 || group_index[i] >= groups) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace deepgemm::cpu
