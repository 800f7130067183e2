// Membership in a RowSet.
#pragma once

#include <algorithm>
#include <cstdint>

#include "deepgemm/cpu/moe.hpp"

namespace deepgemm::cpu {

// Rows that may be valid at all; an out-of-range count is clamped to the buffer.
static inline int64_t row_limit(const RowSet& set) {
  if (set.row_count == nullptr) return set.rows;
  return std::clamp<int64_t>(*set.row_count, 0, set.rows);
}

static inline bool is_valid_row(const RowSet& set, int64_t row) {
  if (set.group_index != nullptr && set.group_index[row] < 0) return false;
  if (set.group_sizes == nullptr) return true;
  return row % set.rows_per_group < set.group_sizes[row / set.rows_per_group];
}

}  // namespace deepgemm::cpu
