// plan_permutation(): a counting sort of (token, j) by expert. Serial: it touches four bytes per
// slot, against kilobytes for everything that follows it.
#include <algorithm>

#include "cast/scale_grid.hpp"
#include "deepgemm/cpu/moe.hpp"

namespace deepgemm::cpu {
namespace {

int64_t group_start(const PlanPermutationArgs& args, int64_t expert, int64_t next_row) {
  return args.layout == PermutationLayout::masked ? expert * args.max_rows : next_row;
}

// Counts every expert's slots; returns the first slot whose index is neither -1 nor an expert.
int64_t count_slots(const PlanPermutationArgs& args) {
  int64_t bad_slot = -1;
  std::fill_n(args.counts, args.experts, 0);
  for (int64_t slot = 0; slot < args.tokens * args.top_k; ++slot) {
    const int32_t expert = args.indices[slot];
    if (expert >= 0 && expert < args.experts) {
      ++args.counts[expert];
    } else if (expert != -1 && bad_slot < 0) {
      bad_slot = slot;
    }
  }
  return bad_slot;
}

void mark_rows(const PlanPermutationArgs& args, int64_t expert, int64_t start, int64_t used,
               int64_t padded) {
  if (args.group_index == nullptr) return;
  const int64_t end = std::min(start + padded, args.row_capacity);
  for (int64_t row = start; row < end; ++row) {
    args.group_index[row] = row < start + used ? static_cast<int32_t>(expert) : -1;
  }
}

// Gives each slot its row. The counts run from zero again, so that they end as what was placed.
void place_slots(const PlanPermutationArgs& args) {
  std::fill_n(args.counts, args.experts, 0);
  const bool masked = args.layout == PermutationLayout::masked;
  for (int64_t slot = 0; slot < args.tokens * args.top_k; ++slot) {
    const int32_t expert = args.indices[slot];
    args.destination[slot] = -1;
    if (expert < 0 || expert >= args.experts) continue;
    const int64_t place = args.counts[expert];
    const int64_t start = masked ? expert * args.max_rows : args.offsets[expert];
    if (masked ? place >= args.max_rows : start + place >= args.row_capacity) continue;
    args.destination[slot] = static_cast<int32_t>(start + place);
    ++args.counts[expert];
  }
}

}  // namespace

PlanPermutationResult plan_permutation(Pool&, Isa, const PlanPermutationArgs& args) {
  const bool masked = args.layout == PermutationLayout::masked;
  const int64_t alignment = args.layout == PermutationLayout::contiguous ? args.alignment : 1;
  PlanPermutationResult result{PlanStatus::ok, 0, 0, count_slots(args)};
  int64_t next_row = 0;
  for (int64_t e = 0; e < args.experts; ++e) {
    const int64_t count = args.counts[e];
    const int64_t padded = ceil_div(count, alignment) * alignment;
    if (masked) {
      result.needed_rows = std::max(result.needed_rows, count);
      result.rows += std::min(count, args.max_rows);
    } else {
      mark_rows(args, e, next_row, count, padded);
    }
    if (args.offsets) args.offsets[e] = static_cast<int32_t>(group_start(args, e, next_row));
    next_row += padded;
  }
  if (args.offsets) {
    args.offsets[args.experts] = static_cast<int32_t>(group_start(args, args.experts, next_row));
  }
  if (!masked) {
    result.rows = result.needed_rows = next_row;
    mark_rows(args, -1, next_row, 0, args.row_capacity);
  }
  place_slots(args);
  const int64_t capacity = masked ? args.max_rows : args.row_capacity;
  if (result.needed_rows > capacity) result.status = PlanStatus::capacity_exceeded;
  if (result.bad_slot >= 0) result.status = PlanStatus::index_out_of_range;
  return result;
}

}  // namespace deepgemm::cpu
