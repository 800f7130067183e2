// route(): scores, selection and weights of one token at a time.
#include <algorithm>
#include <limits>

#include "cast/kernels.hpp"
#include "cast/scale_grid.hpp"
#include "cast/tiles.hpp"
#include "moe/kernels.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kTokensPerRun = 16;
constexpr int32_t kDroppedKey = std::numeric_limits<int32_t>::min();
constexpr int32_t kNanKey = kDroppedKey + 1;

struct TokenScratch {
  float scores[kMaxExperts];
  float biased[kMaxExperts];
  int32_t keys[kMaxExperts];
  int32_t group_keys[kMaxExperts];
  int32_t chosen_groups[kMaxExperts];
};

// An integer that orders as the float does; both zeros are one, NaN is below -infinity.
int32_t order_key(float value) {
  if (value != value) return kNanKey;
  const int32_t bits = std::bit_cast<int32_t>(value + 0.0f);
  return bits >= 0 ? bits : bits ^ 0x7fffffff;
}

// The `wanted` largest keys in descending order; among equals the lower index, because a later one
// must be strictly larger to move ahead.
void select_largest(const int32_t* keys, int64_t count, int64_t wanted, int32_t* selected) {
  int64_t held = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t key = keys[i];
    if (held == wanted && key <= keys[selected[held - 1]]) continue;
    int64_t place = held < wanted ? held++ : held - 1;
    for (; place > 0 && keys[selected[place - 1]] < key; --place) {
      selected[place] = selected[place - 1];
    }
    selected[place] = static_cast<int32_t>(i);
  }
}

// The sum of a group's two highest biased scores, or its only one.
float group_score(const TokenScratch& scratch, int64_t first, int64_t size) {
  int32_t best[2];
  const int64_t terms = std::min<int64_t>(size, 2);
  select_largest(scratch.keys + first, size, terms, best);
  const float highest = scratch.biased[first + best[0]];
  return terms == 1 ? highest : highest + scratch.biased[first + best[1]];
}

void drop_groups(const RouteArgs& args, TokenScratch& scratch) {
  const int64_t size = args.experts / args.groups;
  for (int64_t g = 0; g < args.groups; ++g) {
    scratch.group_keys[g] = order_key(group_score(scratch, g * size, size));
  }
  select_largest(scratch.group_keys, args.groups, args.top_groups, scratch.chosen_groups);
  for (int64_t i = 0; i < args.top_groups; ++i) {
    scratch.group_keys[scratch.chosen_groups[i]] = kDroppedKey;  // now marks the kept ones
  }
  for (int64_t g = 0; g < args.groups; ++g) {
    if (scratch.group_keys[g] == kDroppedKey) continue;
    std::fill_n(scratch.keys + g * size, size, kDroppedKey);
  }
}

void select_by_sigmoid(const MoeKernels& kernels, const RouteArgs& args, TokenScratch& scratch,
                       int32_t* indices) {
  kernels.sigmoid(scratch.scores, args.experts, scratch.scores);
  for (int64_t e = 0; e < args.experts; ++e) {
    scratch.biased[e] = args.bias ? scratch.scores[e] + args.bias[e] : scratch.scores[e];
    scratch.keys[e] = order_key(scratch.biased[e]);
  }
  if (args.top_groups < args.groups) drop_groups(args, scratch);
  select_largest(scratch.keys, args.experts, args.top_k, indices);
}

void select_by_softmax(const MoeKernels& kernels, const RouteArgs& args, TokenScratch& scratch,
                       int32_t* indices) {
  for (int64_t e = 0; e < args.experts; ++e) scratch.keys[e] = order_key(scratch.scores[e]);
  select_largest(scratch.keys, args.experts, args.top_k, indices);
  const float largest = scratch.scores[indices[0]];
  kernels.exp_shifted(scratch.scores, args.experts, largest, scratch.scores);
  float sum = 0.0f;
  for (int64_t e = 0; e < args.experts; ++e) sum += scratch.scores[e];
  for (int64_t e = 0; e < args.experts; ++e) scratch.scores[e] = scratch.scores[e] / sum;
}

void write_weights(const RouteArgs& args, const TokenScratch& scratch, const int32_t* indices,
                   float* weights) {
  float sum = 0.0f;
  for (int64_t j = 0; j < args.top_k; ++j) sum += scratch.scores[indices[j]];
  if (args.gating == RouteGating::group_limited_sigmoid) sum += 1e-20f;
  for (int64_t j = 0; j < args.top_k; ++j) {
    const float score = scratch.scores[indices[j]];
    weights[j] = (args.normalize ? score / sum : score) * args.scaling_factor;
  }
}

bool is_legal(const RouteArgs& args) {
  if (args.experts < 1 || args.experts > kMaxExperts) return false;
  if (args.top_k < 1 || args.top_k > std::min(args.experts, kMaxTopK)) return false;
  if (args.gating == RouteGating::softmax) return true;
  return args.groups >= 1 && args.experts % args.groups == 0 && args.top_groups >= 1 &&
         args.top_groups <= args.groups;
}

}  // namespace

bool route(Pool& pool, Isa isa, const RouteArgs& args) {
  if (!is_legal(args)) return false;
  const MoeKernels& kernels = moe_kernels(isa);
  const auto to_f32 =
      cast_kernels(isa)
          .convert[static_cast<int>(args.logits_type)][static_cast<int>(FloatType::f32)];
  const int64_t row_bytes = args.logits_row_stride * element_bytes(args.logits_type);
  for_each_run(pool, args.tokens, kTokensPerRun, [&](int64_t first, int64_t count) {
    TokenScratch scratch;
    for (int64_t t = first; t < first + count; ++t) {
      int32_t* indices = args.indices + t * args.top_k;
      to_f32(static_cast<const char*>(args.logits) + t * row_bytes, args.experts, scratch.scores);
      if (args.gating == RouteGating::softmax) {
        select_by_softmax(kernels, args, scratch, indices);
      } else {
        select_by_sigmoid(kernels, args, scratch, indices);
      }
      write_weights(args, scratch, indices, args.weights + t * args.top_k);
    }
  });
  return true;
}

}  // namespace deepgemm::cpu
