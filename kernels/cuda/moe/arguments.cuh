// What a launch passes to the kernels around the grouped products of a mixture of experts.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

// Rows are counted in int32 on the host's side of every tensor; -1 means none.
using Row = int;

struct LogitsArguments {
  const u8* tokens;   // e4m3 [token_count, columns]
  const u8* weights;  // e4m3 [experts, columns]
  const float* token_scales;
  const float* weight_scales;
  float* logits;                  // [token_count, experts]
  i64 token_stride;               // bytes
  i64 weight_stride;              // bytes
  i64 token_scale_row_stride;     // elements
  i64 token_scale_column_stride;  // from one 128 of the columns to the next
  i64 weight_scale_row_stride;
  i64 weight_scale_column_stride;
  i64 logits_stride;  // elements
  u32 token_count;
  u32 experts;
  u32 columns;
  u32 rows_per_scale;  // of the weights: 1 or 128
};

struct RouteArguments {
  const void* logits;  // [tokens, experts]
  const float* bias;   // [experts] or null
  Row* indices;        // [tokens, top_k]
  float* weights;      // [tokens, top_k]
  i64 logits_stride;   // elements from one row to the next
  float scaling_factor;
  u32 normalize;
  u32 tokens;
  u32 experts;
  u32 top_k;
  u32 groups;
  u32 group_size;  // experts / groups
  u32 top_groups;
};

struct SelectArguments {
  RouteArguments route;
  Row* destination;  // [tokens, top_k]
  Row* counts;       // [experts]
  u32 max_rows;      // of one expert
  u32 unused;
};

struct PlanArguments {
  const Row* indices;  // [slots]: an expert, or -1
  Row* counts;         // [experts]
  Row* offsets;        // [experts + 1] or null
  Row* destination;    // [slots]
  Row* group_index;    // [row_capacity] or null
  Row* status;         // 1 + first bad slot or 0, rows that are needed; or null
  u32 slots;
  u32 experts;
  u32 alignment;
  u32 max_rows;  // of one expert, where masked
  u32 row_capacity;
  u32 masked;
};

struct PermuteArguments {
  const Row* destination;  // [tokens, top_k]
  const Row* group_index;  // [out_rows] or null: rows with -1 become zero
  const u8* source;        // [tokens, columns]
  u8* out;                 // [out_rows, columns]
  const void* source_scales;
  void* out_scales;
  i64 source_stride;  // bytes
  i64 out_stride;     // bytes
  i64 source_scale_row_stride;
  i64 source_scale_column_stride;
  i64 out_scale_group_stride;
  i64 out_scale_row_stride;
  i64 out_scale_column_stride;
  u32 tokens;
  u32 top_k;
  u32 columns;
  u32 out_rows;
  u32 rows_per_group;
  u32 unused;
};

// Which rows of a buffer hold data: every pointer may be null, and what is given must agree.
struct RowSet {
  const Row* row_count;    // one number: rows below it are valid
  const Row* group_index;  // [rows]: valid where >= 0
  const Row* group_sizes;  // the first group_sizes[g] rows of group g are valid
  u32 rows;
  u32 rows_per_group;

  DEEPGEMM_DEVICE u32 limit() const {
    if (row_count == nullptr) return rows;
    return least(static_cast<u32>(most(*row_count, 0)), rows);
  }

  // Of a row below the limit.
  DEEPGEMM_DEVICE bool holds(u32 row) const {
    if (group_index != nullptr && group_index[row] < 0) return false;
    if (group_sizes == nullptr) return true;
    const u32 group = row / rows_per_group;
    return static_cast<Row>(row - group * rows_per_group) < group_sizes[group];
  }
};

struct SwigluArguments {
  const void* input;  // [rows, 2 * columns]: gate | up
  void* out;          // [rows, columns]
  void* scales;       // of the quantised form
  RowSet set;
  i64 input_stride;  // elements
  i64 out_stride;    // elements
  i64 scale_group_stride;
  i64 scale_row_stride;
  i64 scale_column_stride;
  u32 columns;
  u32 unused;
};

struct CombineArguments {
  const Row* destination;  // [tokens, top_k]
  const float* weights;    // [tokens, top_k]
  const void* rows;        // [row_capacity, columns]
  const void* addend;      // [tokens, columns]
  void* out;               // [tokens, columns]
  i64 rows_stride;         // elements
  i64 addend_stride;
  i64 out_stride;
  u32 tokens;
  u32 top_k;
  u32 columns;
  u32 row_capacity;
};

// The host packs these bytes.
static_assert(sizeof(LogitsArguments) == 112 && sizeof(SelectArguments) == 96);
static_assert(sizeof(RouteArguments) == 72 && sizeof(PlanArguments) == 72);
static_assert(sizeof(PermuteArguments) == 128 && sizeof(SwigluArguments) == 104);
static_assert(sizeof(CombineArguments) == 80);

}  // namespace deepgemm
