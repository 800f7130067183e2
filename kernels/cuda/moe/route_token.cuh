// The experts of one token and their weights, by a warp. The kernels that include this have a
// RouteConfig. The rule is that of kernels/cpu/include/deepgemm/cpu/moe.hpp, bit for bit.
#pragma once

#include "base/choices.cuh"
#include "config.cuh"
#include "moe/arguments.cuh"
#include "moe/exact_math.cuh"
#include "moe/floats.cuh"
#include "moe/ranking.cuh"

namespace deepgemm {

constexpr int kPerLane = RouteConfig::kPerLane;
constexpr int kMostExperts = kPerLane * kWarpThreads;
constexpr int kMostTopK = 64;

struct TokenStorage {
  float scores[kMostExperts];  // softmax: logits, then their exponentials
  float biased[RouteConfig::kSigmoid ? kMostExperts : 1];
  u32 kept_groups[kPerLane];  // a bit per group
  u32 chosen[kMostTopK];
};

DEEPGEMM_DEVICE float logit(const RouteArguments& arguments, u32 token, u32 expert) {
  constexpr Source kLogits = RouteConfig::kLogits;
  const u64 at = token * arguments.logits_stride + expert;
  if constexpr (kLogits == Source::kF32) return static_cast<const float*>(arguments.logits)[at];
  return float_of<kLogits>(static_cast<const u16*>(arguments.logits)[at]);
}

// What the experts of a group score: each of its lanes looks at a part of them. All lanes of a
// group get it; lanes without a group get what nobody looks at.
DEEPGEMM_DEVICE float group_score(const RouteArguments& arguments, const TokenStorage& storage,
                                  u32 group, u32 lanes) {
  const u32 size = arguments.group_size;
  BestTwo best;
  if (group < arguments.groups) {
    for (u32 at = threadIdx.x % lanes; at < size; at += lanes) {
      best.add(storage.biased[group * size + at]);
    }
  }
  for (u32 step = 1; step < lanes; step *= 2) best.add_of_lane(step);
  return size == 1 ? best.values[0] : __fadd_rn(best.values[0], best.values[1]);
}

// Marks the best groups. A group scores the sum of its two highest biased scores.
DEEPGEMM_DEVICE void keep_best_groups(const RouteArguments& arguments, TokenStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  // Lanes of a group, a power of two; more groups than lanes take turns.
  u32 lanes = 1;
  while (2 * lanes * arguments.groups <= kWarpThreads) lanes *= 2;
  Ranking<kPerLane> groups;
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    groups.keys[i] = kTakenKey;
    if (i * kWarpThreads >= arguments.groups) continue;
    const float score = group_score(arguments, storage, i * kWarpThreads + lane / lanes, lanes);
    // Lane `g` of the turn keeps group `g`.
    const float own = __shfl_sync(kWholeWarp, score, lane * lanes % kWarpThreads);
    if (i * kWarpThreads + lane < arguments.groups) groups.keys[i] = order_key(own);
  }
  for (u32 i = lane; i < kPerLane; i += kWarpThreads) storage.kept_groups[i] = 0;
  __syncwarp();
  for (u32 n = 0; n < arguments.top_groups; ++n) {
    const u32 group = groups.take_largest();
    if (lane == 0) storage.kept_groups[group / 32] |= 1u << group % 32;
  }
  __syncwarp();
}

// Scores of a token's experts, and by what they are selected.
DEEPGEMM_DEVICE void score_token(const RouteArguments& arguments, u32 token,
                                 TokenStorage& storage) {
  constexpr int kAhead = least(kPerLane, 8);  // loads in flight
  for (int first = 0; first < kPerLane; first += kAhead) {
    float given[kAhead];
    float bias[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const u32 expert = (first + i) * kWarpThreads + threadIdx.x % kWarpThreads;
      const bool is_there = expert < arguments.experts;
      given[i] = is_there ? logit(arguments, token, expert) : 0.0f;
      bias[i] = is_there && arguments.bias != nullptr ? arguments.bias[expert] : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const u32 expert = (first + i) * kWarpThreads + threadIdx.x % kWarpThreads;
      if (expert >= arguments.experts) continue;
      const float score = RouteConfig::kSigmoid ? exact_sigmoid(given[i]) : given[i];
      storage.scores[expert] = score;
      if constexpr (RouteConfig::kSigmoid) {
        const bool is_biased = arguments.bias != nullptr;
        storage.biased[expert] = is_biased ? __fadd_rn(score, bias[i]) : score;
      }
    }
  }
  __syncwarp();
}

// The keys of the experts of groups that are kept; those of others are taken.
DEEPGEMM_DEVICE void rank_experts(const RouteArguments& arguments, const TokenStorage& storage,
                                  Ranking<kPerLane>& ranking) {
  const bool drops = RouteConfig::kSigmoid && arguments.top_groups < arguments.groups;
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    const u32 expert = i * kWarpThreads + threadIdx.x % kWarpThreads;
    ranking.keys[i] = kTakenKey;
    if (expert >= arguments.experts) continue;
    if (drops) {
      const u32 group = expert / arguments.group_size;
      if ((storage.kept_groups[group / 32] >> group % 32 & 1u) == 0) continue;
    }
    ranking.keys[i] =
        order_key(RouteConfig::kSigmoid ? storage.biased[expert] : storage.scores[expert]);
  }
}

// Logits to exponentials; their sum in the order of the experts, as on the CPU.
DEEPGEMM_DEVICE float exponentials(const RouteArguments& arguments, TokenStorage& storage) {
  const float largest = storage.scores[storage.chosen[0]];
  __syncwarp();
  for (u32 e = threadIdx.x % kWarpThreads; e < arguments.experts; e += kWarpThreads) {
    storage.scores[e] = exact_exp(__fsub_rn(storage.scores[e], largest));
  }
  __syncwarp();
  float sum = 0.0f;
#pragma unroll 8
  for (u32 e = 0; e < arguments.experts; ++e) sum = __fadd_rn(sum, storage.scores[e]);
  return sum;
}

DEEPGEMM_DEVICE void route_token(const RouteArguments& arguments, u32 token,
                                 TokenStorage& storage) {
  const u32 lane = threadIdx.x % kWarpThreads;
  score_token(arguments, token, storage);
  if constexpr (RouteConfig::kSigmoid) {
    if (arguments.top_groups < arguments.groups) keep_best_groups(arguments, storage);
  }
  Ranking<kPerLane> ranking;
  rank_experts(arguments, storage, ranking);
  for (u32 j = 0; j < arguments.top_k; ++j) {
    const u32 expert = ranking.take_largest();
    if (lane == 0) storage.chosen[j] = expert;
  }
  __syncwarp();
  float all = 1.0f;
  if constexpr (!RouteConfig::kSigmoid) all = exponentials(arguments, storage);
  const auto score = [&](u32 j) {
    const float own = storage.scores[storage.chosen[j]];
    return RouteConfig::kSigmoid ? own : __fdiv_rn(own, all);
  };
  float sum = 0.0f;
  for (u32 j = 0; j < arguments.top_k; ++j) sum = __fadd_rn(sum, score(j));
  if constexpr (RouteConfig::kSigmoid) sum = __fadd_rn(sum, 1e-20f);
  for (u32 j = lane; j < arguments.top_k; j += kWarpThreads) {
    const u64 at = static_cast<u64>(token) * arguments.top_k + j;
    const float weight = arguments.normalize != 0 ? __fdiv_rn(score(j), sum) : score(j);
    arguments.indices[at] = static_cast<Row>(storage.chosen[j]);
    arguments.weights[at] = __fmul_rn(weight, arguments.scaling_factor);
  }
}

}  // namespace deepgemm
