#include "grouped/weights.hpp"

namespace deepgemm::cpu {

std::vector<GemmTask> packed_tasks(const GroupedRows& layout, std::span<const int32_t> offsets) {
  std::vector<GemmTask> tasks;
  for (size_t group = 0; group + 1 < offsets.size(); ++group) {
    const int64_t begin = offsets[group];
    const int64_t end = offsets[group + 1];
    if (begin == end) continue;
    tasks.push_back(rows_task(layout, begin, end, static_cast<int64_t>(group)));
  }
  return tasks;
}

int64_t first_bad_offset(std::span<const int32_t> offsets, int64_t rows) {
  int64_t previous = 0;
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i] < previous || offsets[i] > rows) return static_cast<int64_t>(i);
    previous = offsets[i];
  }
  return -1;
}

}  // namespace deepgemm::cpu
