// Mixture-of-experts layouts: from a layout's index array to independent GEMM tasks.
//
// These functions are pure and cheap. Index arrays must have passed the matching first_bad_*
// check: they come from a caller's memory and decide which addresses a kernel touches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "deepgemm/cpu/gemm.hpp"

namespace deepgemm::cpu {

// Weights of all groups: group g's operand starts `group_stride` bytes (and `group_scale_stride`
// scale elements) after group g - 1's.
struct GroupedWeights {
  Operand first;
  int64_t group_stride = 0;
  int64_t group_scale_stride = 0;
  int64_t groups = 0;
};

// Activations and output of the layouts that share one row space (contiguous, packed).
// `a.scale_block_rows` must be 1: runs start at any row.
struct GroupedRows {
  int64_t rows = 0;  // capacity of A and D
  int64_t n = 0;
  int64_t k = 0;
  Operand a;
  GroupedWeights b;
  void* d = nullptr;
  int64_t d_row_stride = 0;  // elements
  OutType out = OutType::bf16;
  bool accumulate = false;
};

// Activations and output of the masked layout: [groups, max_rows, K] and [groups, max_rows, N].
struct MaskedRows {
  int64_t max_rows = 0;
  int64_t n = 0;
  int64_t k = 0;
  Operand a;                         // of group 0
  int64_t a_group_stride = 0;        // bytes
  int64_t a_group_scale_stride = 0;  // elements
  GroupedWeights b;
  void* d = nullptr;
  int64_t d_row_stride = 0;    // elements
  int64_t d_group_stride = 0;  // elements
  OutType out = OutType::bf16;
  bool accumulate = false;
};

// Operands of the k-grouped layout: A [M, sum of sizes], B [N, sum of sizes], D [groups, M, N].
// Blocks of 128 restart at every group, so that the scales have sum of ceil(size / 128) columns.
struct GroupedK {
  int64_t m = 0;
  int64_t n = 0;
  int64_t total_k = 0;  // capacity of a row of A and B
  Operand a;
  Operand b;
  void* d = nullptr;
  int64_t d_row_stride = 0;    // elements
  int64_t d_group_stride = 0;  // elements
  OutType out = OutType::f32;
  bool accumulate = false;
};

// One task per run of equal indices. Rows marked -1 become tasks with k = 0, which write zeros
// (or leave D when accumulating).
std::vector<GemmTask> contiguous_tasks(const GroupedRows& layout,
                                       std::span<const int32_t> group_index);
// Group g owns rows [offsets[g], offsets[g + 1]); rows outside all groups are left untouched.
std::vector<GemmTask> packed_tasks(const GroupedRows& layout, std::span<const int32_t> offsets);
// Rows of a group from sizes[g] on are left untouched.
std::vector<GemmTask> masked_tasks(const MaskedRows& layout, std::span<const int32_t> sizes);
// An empty group's D is zeroed (or left when accumulating).
std::vector<GemmTask> k_grouped_tasks(const GroupedK& layout, std::span<const int32_t> sizes);

// Index of the first entry that breaks the layout's rule, or -1 when all are good.
// Rule: -1 <= index < groups.
int64_t first_bad_group_index(std::span<const int32_t> group_index, int64_t groups);
// Rule: starts at 0 or more, never decreases, never exceeds `rows`.
int64_t first_bad_offset(std::span<const int32_t> offsets, int64_t rows);
// Rule: 0 <= size <= max_rows.
int64_t first_bad_masked_size(std::span<const int32_t> sizes, int64_t max_rows);
// Rule: 0 <= size, and the running sum never exceeds `total_k`.
int64_t first_bad_k_size(std::span<const int32_t> sizes, int64_t total_k);

}  // namespace deepgemm::cpu
