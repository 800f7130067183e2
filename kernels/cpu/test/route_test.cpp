// Routing against a float64 reference that sorts instead of selecting.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "deepgemm/cpu/moe.hpp"
#include "float_reference.hpp"

namespace deepgemm::cpu::test {
namespace {

struct Routing {
  int64_t tokens;
  RouteArgs args;
  FloatArray logits;
  std::vector<float> bias;
  std::vector<int32_t> indices;
  std::vector<float> weights;

  Routing(int64_t token_count, FloatType type, const RouteArgs& shape)
      : tokens(token_count),
        args(shape),
        logits(type, token_count * (shape.experts + 3)),
        bias(static_cast<size_t>(shape.experts)),
        indices(static_cast<size_t>(token_count * shape.top_k), -7),
        weights(static_cast<size_t>(token_count * shape.top_k), -7.0f) {
    args.tokens = tokens;
    args.logits_type = type;
    args.logits_row_stride = shape.experts + 3;
  }

  float logit(int64_t token, int64_t expert) const {
    return logits.get(token * args.logits_row_stride + expert);
  }

  bool run(Pool& pool, Isa isa, bool with_bias) {
    args.logits = logits.data();
    args.bias = with_bias ? bias.data() : nullptr;
    args.indices = indices.data();
    args.weights = weights.data();
    return route(pool, isa, args);
  }
};

// Indices of `scores` from the highest down; equal ones in ascending order.
std::vector<int64_t> ranking(const std::vector<double>& scores) {
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  return order;
}

double top_two(std::vector<double> values) {
  std::sort(values.rbegin(), values.rend());
  return values.size() == 1 ? values[0] : values[0] + values[1];
}

struct Expected {
  std::vector<int64_t> indices;
  std::vector<double> weights;
};

Expected expect_softmax(const Routing& routing, int64_t token) {
  std::vector<double> logits;
  for (int64_t e = 0; e < routing.args.experts; ++e) logits.push_back(routing.logit(token, e));
  Expected expected{ranking(logits), {}};
  expected.indices.resize(static_cast<size_t>(routing.args.top_k));
  const double largest = *std::max_element(logits.begin(), logits.end());
  double all = 0;
  double selected = 0;
  for (double logit : logits) all += std::exp(logit - largest);
  for (int64_t e : expected.indices) {
    expected.weights.push_back(std::exp(logits[static_cast<size_t>(e)] - largest) / all);
    selected += expected.weights.back();
  }
  for (double& weight : expected.weights) {
    weight = (routing.args.normalize ? weight / selected : weight) *
             static_cast<double>(routing.args.scaling_factor);
  }
  return expected;
}

// The groups that stay, as a mask over experts.
std::vector<bool> kept_experts(const Routing& routing, const std::vector<double>& biased) {
  const int64_t size = routing.args.experts / routing.args.groups;
  std::vector<double> scores;
  for (int64_t g = 0; g < routing.args.groups; ++g) {
    scores.push_back(top_two({biased.begin() + g * size, biased.begin() + (g + 1) * size}));
  }
  const std::vector<int64_t> order = ranking(scores);
  std::vector<bool> kept(biased.size());
  for (int64_t i = 0; i < routing.args.top_groups; ++i) {
    const int64_t first = order[static_cast<size_t>(i)] * size;
    for (int64_t e = first; e < first + size; ++e) kept[static_cast<size_t>(e)] = true;
  }
  return kept;
}

Expected expect_sigmoid(const Routing& routing, int64_t token, bool with_bias) {
  std::vector<double> scores;
  std::vector<double> biased;
  for (int64_t e = 0; e < routing.args.experts; ++e) {
    scores.push_back(1 / (1 + std::exp(-static_cast<double>(routing.logit(token, e)))));
    biased.push_back(scores.back());
    if (with_bias) biased.back() += static_cast<double>(routing.bias[static_cast<size_t>(e)]);
  }
  const std::vector<bool> kept = kept_experts(routing, biased);
  for (size_t e = 0; e < biased.size(); ++e) {
    if (!kept[e]) biased[e] = -INFINITY;
  }
  Expected expected{ranking(biased), {}};
  expected.indices.resize(static_cast<size_t>(routing.args.top_k));
  double selected = 0;
  for (int64_t e : expected.indices) selected += scores[static_cast<size_t>(e)];
  for (int64_t e : expected.indices) {
    const double weight = scores[static_cast<size_t>(e)];
    expected.weights.push_back((routing.args.normalize ? weight / (selected + 1e-20) : weight) *
                               static_cast<double>(routing.args.scaling_factor));
  }
  return expected;
}

void compare(const Routing& routing, Isa isa, bool with_bias) {
  for (int64_t t = 0; t < routing.tokens; ++t) {
    const Expected expected = routing.args.gating == RouteGating::softmax
                                  ? expect_softmax(routing, t)
                                  : expect_sigmoid(routing, t, with_bias);
    for (int64_t j = 0; j < routing.args.top_k; ++j) {
      const auto at = static_cast<size_t>(t * routing.args.top_k + j);
      const auto place = static_cast<size_t>(j);
      checkf(routing.indices[at] == expected.indices[place],
             "%s: token %ld of %ld experts, choice %ld is %d, not %ld", isa_name(isa), t,
             routing.args.experts, j, routing.indices[at], expected.indices[place]);
      checkf(std::fabs(static_cast<double>(routing.weights[at]) - expected.weights[place]) <=
                 3e-6 * expected.weights[place] + 1e-37,
             "%s: weight %g, not %g", isa_name(isa), static_cast<double>(routing.weights[at]),
             expected.weights[place]);
    }
  }
}

// Logits on a coarse lattice make exact ties; its offset keeps sigmoid(x) + sigmoid(-x) = 1 away.
float draw_logit(Random& random, bool coarse) {
  if (coarse) return static_cast<float>(random.between(-40, 40)) / 8 + 0.0134277344f;
  return static_cast<float>(random.unit() * 16 - 8);
}

RouteArgs draw_shape(Random& random, int trial) {
  constexpr int64_t kGroups[] = {1, 1, 2, 4, 8};
  RouteArgs args;
  args.gating = trial % 2 ? RouteGating::group_limited_sigmoid : RouteGating::softmax;
  args.groups = kGroups[random.between(0, 4)];
  args.experts = args.groups * random.between(1, trial % 16 == 0 ? 64 : 20);
  args.top_groups = random.between(1, args.groups);
  const int64_t candidates = args.gating == RouteGating::softmax
                                 ? args.experts
                                 : args.experts / args.groups * args.top_groups;
  args.top_k = random.between(1, std::min<int64_t>(candidates, 12));
  args.normalize = random.chance(0.5);
  args.scaling_factor = random.chance(0.5) ? 1.0f : 2.5f;
  return args;
}

const Case kRandom("routing agrees with float64 in 600 random settings, ties included", [] {
  Random random(3);
  for (int trial = 0; trial < 600; ++trial) {
    Pool pool(1 + trial % 2);
    const FloatType type = trial % 3 ? FloatType::f32 : FloatType::bf16;
    Routing routing(random.between(0, 40), type, draw_shape(random, trial));
    const bool coarse = random.chance(0.5) || type == FloatType::bf16;
    for (int64_t t = 0; t < routing.tokens; ++t) {
      for (int64_t e = 0; e < routing.args.experts; ++e) {
        routing.logits.set(t * routing.args.logits_row_stride + e, draw_logit(random, coarse));
      }
    }
    for (float& bias : routing.bias) bias = static_cast<float>(random.between(-3, 3)) / 7;
    const bool with_bias = random.chance(0.7);
    for (const Isa isa : available_isas()) {
      check(routing.run(pool, isa, with_bias), "a legal routing was refused");
      compare(routing, isa, with_bias);
    }
  }
});

const Case kDeepSeek(
    "256 experts in 8 groups, 4 kept, top 8: all equal logits take the lowest", [] {
      Pool pool(2);
      RouteArgs args;
      args.gating = RouteGating::group_limited_sigmoid;
      args.experts = 256;
      args.groups = 8;
      args.top_groups = 4;
      args.top_k = 8;
      args.normalize = true;
      args.scaling_factor = 2.5f;
      for (const Isa isa : available_isas()) {
        Routing routing(33, FloatType::f32, args);
        check(routing.run(pool, isa, false), "refused");
        for (size_t i = 0; i < routing.indices.size(); ++i) {
          check(routing.indices[i] == static_cast<int32_t>(i % 8), "not the lowest indices");
          check(std::fabs(routing.weights[i] - 0.3125f) < 1e-6f, "weights are not equal");
        }
      }
    });

void check_distinct(const Routing& routing, const char* what) {
  for (int64_t t = 0; t < routing.tokens; ++t) {
    std::vector<bool> seen(static_cast<size_t>(routing.args.experts));
    for (int64_t j = 0; j < routing.args.top_k; ++j) {
      const int32_t index = routing.indices[static_cast<size_t>(t * routing.args.top_k + j)];
      const bool inside = index >= 0 && index < routing.args.experts;
      checkf(inside && !seen[static_cast<size_t>(index)], "%s: index %d", what, index);
      if (inside) seen[static_cast<size_t>(index)] = true;
    }
  }
}

const Case kNonFinite("NaN and infinite logits never leave the range and rank as documented", [] {
  Pool pool(2);
  Random random(5);
  const float odd[] = {NAN, -NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 3e38f, -3e38f};
  for (int trial = 0; trial < 200; ++trial) {
    Routing routing(20, FloatType::f32, draw_shape(random, trial));
    for (int64_t t = 0; t < routing.tokens; ++t) {
      for (int64_t e = 0; e < routing.args.experts; ++e) {
        routing.logits.set(t * routing.args.logits_row_stride + e, odd[random.between(0, 7)]);
      }
    }
    for (const Isa isa : available_isas()) {
      check(routing.run(pool, isa, false), "refused");
      check_distinct(routing, isa_name(isa));
      for (int64_t t = 0; t < routing.tokens; ++t) {
        bool left_number = false;
        for (int64_t j = routing.args.top_k; j-- > 0;) {
          const int32_t index = routing.indices[static_cast<size_t>(t * routing.args.top_k + j)];
          const bool nan = std::isnan(routing.logit(t, index));
          checkf(!(nan && left_number), "%s: a NaN ranks above a number", isa_name(isa));
          left_number |= !nan;
        }
      }
    }
  }
});

const Case kRefused("route refuses what its tables cannot hold", [] {
  Pool pool(1);
  RouteArgs good;
  good.experts = 8;
  good.top_k = 2;
  for (int bad = 0; bad < 6; ++bad) {
    RouteArgs args = good;
    if (bad == 0) args.experts = kMaxExperts + 1;
    if (bad == 1) args.top_k = 9;
    if (bad == 2) args.top_k = 0;
    if (bad > 2) args.gating = RouteGating::group_limited_sigmoid;
    if (bad == 3) args.groups = 3;
    if (bad == 4) args.top_groups = 2;
    if (bad == 5) args.groups = 0;
    Routing routing(2, FloatType::f32, args);
    checkf(!routing.run(pool, Isa::baseline, false), "took illegal routing %d", bad);
    for (const int32_t index : routing.indices) check(index == -7, "wrote when refusing");
  }
});

}  // namespace
}  // namespace deepgemm::cpu::test
