// Routing, permutation and combination from any indices and any numbers.

#include "deepgemm/cpu/moe.hpp"

#include <algorithm>
#include <set>

#include "fuzz.hpp"

namespace deepgemm::fuzz {
namespace {

// Places must be inside, each taken once, and every routed slot has one unless room ran out.
void require_places(const cpu::PlanPermutationArgs& args, const std::vector<int32_t>& destination,
                    const cpu::PlanPermutationResult& result) {
  std::set<int32_t> taken;
  for (size_t slot = 0; slot < destination.size(); slot++) {
    const int32_t to = destination[slot];
    const int32_t expert = args.indices[slot];
    const bool routed = expert >= 0 && expert < args.experts;
    require(to >= -1 && to < args.row_capacity, "a destination is outside");
    require(to < 0 || routed, "a slot that is not routed has a destination");
    require(to < 0 || taken.insert(to).second, "two slots share a row");
    if (result.status == cpu::PlanStatus::ok) require(routed == (to >= 0), "a slot has no row");
  }
}

}  // namespace

void fuzz_permutation(Input& input) {
  const int64_t tokens = extent(input, 30), top_k = 1 + extent(input, 5);
  const int64_t experts = 1 + extent(input, 12), columns = 1 + extent(input, 40);
  const std::vector<int32_t> indices = any_indices(input, tokens * top_k, int32_t(experts) - 1);
  cpu::PlanPermutationArgs args;
  args.layout = static_cast<cpu::PermutationLayout>(input.ConsumeIntegralInRange(0, 2));
  const bool masked = args.layout == cpu::PermutationLayout::masked;
  args.indices = indices.data();
  args.tokens = tokens;
  args.top_k = top_k;
  args.experts = experts;
  args.alignment = 1 + extent(input, 16);
  args.max_rows = masked ? extent(input, 12) : 0;
  args.row_capacity = masked ? experts * args.max_rows : extent(input, 200);
  std::vector<int32_t> counts(size_t(experts), 77), offsets(size_t(experts) + 1, 77);
  std::vector<int32_t> destination(indices.size(), 77), group_index(size_t(args.row_capacity), 77);
  args.counts = counts.data();
  args.offsets = offsets.data();
  args.destination = destination.data();
  const bool contiguous = args.layout == cpu::PermutationLayout::contiguous;
  if (contiguous) args.group_index = group_index.data();
  const cpu::Isa isa = any_isa(input);
  const auto result = cpu::plan_permutation(any_pool(input), isa, args);
  require_places(args, destination, result);
  if (contiguous) {
    for (const int32_t group : group_index)
      require(group >= -1 && group < experts, "a group index");
  }

  // Destinations may also be a caller's own.
  if (input.ConsumeBool())
    destination = any_indices(input, tokens * top_k, int32_t(args.row_capacity));
  const auto source = any_values<uint8_t>(input, tokens * columns);
  std::vector<uint8_t> out(size_t(args.row_capacity * columns));
  cpu::PermuteRowsArgs permute;
  permute.destination = destination.data();
  permute.tokens = tokens;
  permute.top_k = top_k;
  permute.source = source.data();
  permute.source_row_stride = permute.out_row_stride = permute.row_bytes = columns;
  permute.out = out.data();
  permute.out_rows = args.row_capacity;
  permute.group_index = contiguous ? group_index.data() : nullptr;
  std::set<int32_t> used(destination.begin(), destination.end());
  // Two tokens in one row are a race that the caller asked for.
  const bool distinct = used.size() == destination.size() || used.count(-1) > 0;
  cpu::permute_rows(distinct ? any_pool(input) : pool_of(1), isa, permute);

  const auto weights = any_values<float>(input, tokens * top_k);
  const auto rows = any_values<float>(input, args.row_capacity * columns);
  std::vector<float> sum(size_t(tokens * columns));
  cpu::CombineArgs combine;
  combine.destination = destination.data();
  combine.weights = weights.data();
  combine.tokens = tokens;
  combine.top_k = top_k;
  combine.columns = columns;
  combine.rows = rows.data();
  combine.rows_row_stride = columns;
  combine.row_capacity = args.row_capacity;
  combine.out = sum.data();
  combine.out_row_stride = columns;
  cpu::combine(any_pool(input), isa, combine);
}

void fuzz_route(Input& input) {
  cpu::RouteArgs args;
  args.gating = static_cast<cpu::RouteGating>(input.ConsumeIntegralInRange(0, 1));
  const bool sigmoid = args.gating == cpu::RouteGating::group_limited_sigmoid;
  args.groups = sigmoid ? 1 + extent(input, 5) : 1;
  args.experts = args.groups * (1 + extent(input, 20));
  args.top_groups = 1 + extent(input, args.groups - 1);
  args.tokens = extent(input, 20);
  args.top_k = 1 + extent(input, std::min<int64_t>(args.experts, cpu::kMaxTopK) - 1);
  args.logits_row_stride = args.experts;
  args.normalize = input.ConsumeBool();
  args.scaling_factor = input.ConsumeFloatingPoint<float>();
  const auto bias = any_values<float>(input, args.experts);
  if (sigmoid && input.ConsumeBool()) args.bias = bias.data();
  const auto logits = any_values<float>(input, args.tokens * args.experts);
  args.logits = logits.data();
  std::vector<int32_t> indices(size_t(args.tokens * args.top_k), 77);
  std::vector<float> weights(indices.size());
  args.indices = indices.data();
  args.weights = weights.data();
  require(cpu::route(any_pool(input), any_isa(input), args), "legal routing was refused");
  for (int64_t token = 0; token < args.tokens; token++) {
    const auto first = indices.begin() + token * args.top_k;
    const std::set<int32_t> chosen(first, first + args.top_k);
    require(int64_t(chosen.size()) == args.top_k, "an expert was selected twice");
    require(*chosen.begin() >= 0 && *chosen.rbegin() < args.experts, "no such expert");
  }
}

void fuzz_swiglu(Input& input) {
  cpu::SwigluQuantizeArgs args;
  const int64_t groups = 1 + extent(input, 4), per_group = extent(input, 8);
  args.columns = 1 + extent(input, 160);
  args.row_set.rows = groups * per_group;
  const int32_t count = input.ConsumeIntegral<int8_t>();
  const auto index = any_indices(input, args.row_set.rows, 4);
  const auto sizes = any_indices(input, groups, int32_t(per_group));
  const int set = input.ConsumeIntegralInRange(0, 3);
  if (set == 1) args.row_set.row_count = &count;
  if (set == 2) args.row_set.group_index = index.data();
  if (set == 3) args.row_set.group_sizes = sizes.data();
  args.row_set.rows_per_group = set == 3 ? per_group : 0;
  const auto source = any_values<float>(input, args.row_set.rows * 2 * args.columns);
  args.input = source.data();
  args.input_row_stride = 2 * args.columns;
  const int64_t blocks = (args.columns + 127) / 128;
  std::vector<uint8_t> values(size_t(args.row_set.rows * args.columns), 0x55);
  std::vector<float> scales(size_t(args.row_set.rows * blocks), -1.0f);
  args.values = values.data();
  args.values_row_stride = args.columns;
  args.scales = {scales.data(), cpu::ScaleFormat::f32, 0, blocks, 1, 0};
  cpu::swiglu_quantize(any_pool(input), any_isa(input), args);
  for (const float scale : scales) {
    require(scale == -1.0f || scale > 0, "a scale that is no positive number");
  }
}

}  // namespace deepgemm::fuzz
