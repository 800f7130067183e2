// What surrounds the grouped GEMMs of a mixture-of-experts layer: routing, the permutation of
// tokens to experts and back, and the activation between the two GEMMs.
//
// All floating-point work is f32 with separate multiplications and additions in the order written
// here, so that every instruction set and any number of threads give the same bits.
#pragma once

#include <cstdint>

#include "deepgemm/cpu/cast.hpp"
#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu {

inline constexpr int64_t kMaxExperts = 2048;
inline constexpr int64_t kMaxTopK = 64;

enum class RouteGating : uint8_t {
  softmax,                // weight = softmax over all experts; selection by logit
  group_limited_sigmoid,  // DeepSeek-V3; selection by sigmoid(logit) + bias
};

// logits [tokens, experts] -> indices and weights [tokens, top_k], in descending order of the
// selection score; of equal scores the lower index comes first.
//
// group_limited_sigmoid: score = sigmoid(logit), biased = score + bias. The experts lie in `groups`
// equal runs; a group scores the sum of its two highest biased scores; the `top_groups` best groups
// stay, and the top_k highest biased scores among them are selected. weight = score; with
// `normalize` weight / (sum of the selected + 1e-20); then * scaling_factor.
// softmax: weight = exp(logit - max) / sum; with `normalize` divided by the sum of the selected
// ones; then * scaling_factor.
//
// A score that is NaN ranks below all numbers, and experts of dropped groups below that, so the
// indices are always top_k different experts. Weights follow f32 arithmetic: a NaN logit makes all
// softmax weights of its token NaN, and with the sigmoid shows up when it is selected.
struct RouteArgs {
  const void* logits = nullptr;
  FloatType logits_type = FloatType::f32;
  int64_t tokens = 0;
  int64_t experts = 0;
  int64_t logits_row_stride = 0;  // elements
  int64_t top_k = 0;
  RouteGating gating = RouteGating::softmax;
  bool normalize = false;
  float scaling_factor = 1.0f;  // 1 leaves the weights as they are
  const float* bias = nullptr;  // [experts] or null; group_limited_sigmoid only
  int64_t groups = 1;           // divides experts; group_limited_sigmoid only
  int64_t top_groups = 1;
  int32_t* indices = nullptr;  // [tokens, top_k], dense
  float* weights = nullptr;    // [tokens, top_k], dense
};

enum class PermutationLayout : uint8_t { packed, contiguous, masked };

// Where each (token, j) goes when the rows are grouped by expert. Rows of one expert stand in the
// order of (token, j). An index of -1 marks a slot that is not routed here: its destination is -1.
// Counts are of rows that got a place; offsets are those of a buffer that is large enough.
//   packed     : expert e owns rows [offsets[e], offsets[e + 1])
//   contiguous : offsets are multiples of `alignment`; group_index[row] = e, or -1 for padding rows
//                and for everything past the last group
//   masked     : row = e * max_rows + place; counts[e] <= max_rows; what does not fit gets -1
struct PlanPermutationArgs {
  const int32_t* indices = nullptr;  // [tokens, top_k], dense
  int64_t tokens = 0;
  int64_t top_k = 0;
  int64_t experts = 0;
  PermutationLayout layout = PermutationLayout::packed;
  int64_t alignment = 1;           // contiguous: >= 1
  int64_t max_rows = 0;            // masked: capacity of each group
  int64_t row_capacity = 0;        // rows of the destination buffer (masked: experts * max_rows)
  int32_t* counts = nullptr;       // [experts]: rows of each expert
  int32_t* offsets = nullptr;      // [experts + 1]; may be null for masked
  int32_t* destination = nullptr;  // [tokens, top_k]: row or -1
  int32_t* group_index = nullptr;  // [row_capacity]; contiguous, else null
};

enum class PlanStatus : uint8_t {
  ok,
  index_out_of_range,  // an index below -1 or >= experts: bad_slot is the first; treated as -1
  capacity_exceeded,   // rows > row_capacity, or a masked group > max_rows: the excess gets -1
};

struct PlanPermutationResult {
  PlanStatus status = PlanStatus::ok;
  int64_t rows = 0;         // rows in use, with padding (masked: the sum of the clamped counts)
  int64_t needed_rows = 0;  // what row_capacity (masked: max_rows) would have to be
  int64_t bad_slot = -1;    // token * top_k + j, or -1
};

// out[destination[t, j], :] = source[t, :], and the row's scales with it. Rows whose group_index is
// negative become zero, values and scales; other rows without a source are left untouched.
struct PermuteRowsArgs {
  const int32_t* destination = nullptr;  // [tokens, top_k], dense; < 0 or >= out_rows: skipped
  int64_t tokens = 0;
  int64_t top_k = 0;
  const void* source = nullptr;
  int64_t source_row_stride = 0;  // bytes
  void* out = nullptr;
  int64_t out_row_stride = 0;  // bytes
  int64_t row_bytes = 0;
  int64_t out_rows = 0;
  const int32_t* group_index = nullptr;  // [out_rows] or null
  int64_t scale_columns = 0;             // 0: no scales
  ScaleGrid source_scales;  // [tokens, scale_columns], group_stride and padded_rows ignored
  ScaleGrid out_scales;     // [out_rows, scale_columns], same format
};

// Which rows of a buffer hold data. Every pointer may be null, and what is given must agree:
//   row_count   : one number, rows [0, *row_count) are valid (packed: &offsets[experts])
//   group_index : [rows], a row is valid where it is >= 0 (contiguous)
//   group_sizes : [rows / rows_per_group], the first group_sizes[g] rows of group g (masked)
struct RowSet {
  int64_t rows = 0;
  const int32_t* row_count = nullptr;
  const int32_t* group_index = nullptr;
  const int32_t* group_sizes = nullptr;
  int64_t rows_per_group = 0;
};

// input [rows, 2 * columns] = gate | up, to silu(gate) * up = (gate / (1 + exp(-gate))) * up in
// f32 (exp within 2 units in the last place; a gate of -infinity gives NaN, as the formula does).
// Rows outside the set are neither read nor written.
struct SwigluArgs {
  RowSet row_set;
  int64_t columns = 0;
  const void* input = nullptr;
  FloatType input_type = FloatType::f32;
  int64_t input_row_stride = 0;  // elements
  void* out = nullptr;
  FloatType out_type = FloatType::f32;
  int64_t out_row_stride = 0;  // elements
};

// The same, then quantised from f32 by the rule of cast.h with 1x128 scales. The strides of the
// scales take padding into account; padding rows are not written.
struct SwigluQuantizeArgs {
  RowSet row_set;
  int64_t columns = 0;
  const void* input = nullptr;
  FloatType input_type = FloatType::f32;
  int64_t input_row_stride = 0;  // elements
  uint8_t* values = nullptr;
  int64_t values_row_stride = 0;  // bytes
  ScaleGrid scales;  // [rows, ceil(columns / 128)], group_stride and padded_rows ignored
};

// out[t, :] = ((0 + w[t,0] * rows[d[t,0], :]) + w[t,1] * rows[d[t,1], :]) + ... + addend[t, :],
// products and sums rounded to f32 one by one. Destinations < 0 or >= row_capacity are skipped.
struct CombineArgs {
  const int32_t* destination = nullptr;  // [tokens, top_k], dense
  const float* weights = nullptr;        // [tokens, top_k], dense
  int64_t tokens = 0;
  int64_t top_k = 0;
  int64_t columns = 0;
  const void* rows = nullptr;
  FloatType rows_type = FloatType::f32;
  int64_t rows_row_stride = 0;  // elements
  int64_t row_capacity = 0;
  const void* addend = nullptr;  // [tokens, columns] or null
  FloatType addend_type = FloatType::f32;
  int64_t addend_row_stride = 0;  // elements
  void* out = nullptr;            // [tokens, columns]
  FloatType out_type = FloatType::f32;
  int64_t out_row_stride = 0;  // elements
};

// False, with nothing written, when experts > kMaxExperts, top_k is outside
// [1, min(experts, kMaxTopK)], or the groups do not divide the experts.
bool route(Pool& pool, Isa isa, const RouteArgs& args);
PlanPermutationResult plan_permutation(Pool& pool, Isa isa, const PlanPermutationArgs& args);
void permute_rows(Pool& pool, Isa isa, const PermuteRowsArgs& args);
void swiglu(Pool& pool, Isa isa, const SwigluArgs& args);
void swiglu_quantize(Pool& pool, Isa isa, const SwigluQuantizeArgs& args);
void combine(Pool& pool, Isa isa, const CombineArgs& args);

}  // namespace deepgemm::cpu
