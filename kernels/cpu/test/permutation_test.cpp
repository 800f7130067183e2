// Permutation plans and the copying of rows, rebuilt from their definitions.
#include "moe_fixture.hpp"

namespace deepgemm::cpu::test {
namespace {

struct Plan {
  std::vector<int32_t> indices;
  std::vector<int32_t> counts;
  std::vector<int32_t> offsets;
  std::vector<int32_t> destination;
  std::vector<int32_t> group_index;
  PlanPermutationArgs args;
  PlanPermutationResult result;

  Plan(const PlanPermutationArgs& shape, std::vector<int32_t> given)
      : indices(std::move(given)),
        counts(size_of(shape.experts), -9),
        offsets(size_of(shape.experts + 1), -9),
        destination(indices.size(), -9),
        group_index(size_of(shape.row_capacity), -9),
        args(shape) {
    args.indices = indices.data();
    args.counts = counts.data();
    args.offsets = offsets.data();
    args.destination = destination.data();
    if (args.layout == PermutationLayout::contiguous) args.group_index = group_index.data();
  }

  void run(Pool& pool) { result = plan_permutation(pool, Isa::baseline, args); }
};

// Skews: uniform, all on one expert, a few experts only.
std::vector<int32_t> draw_indices(Random& random, int64_t slots, int64_t experts, int kind) {
  std::vector<int32_t> indices;
  const auto favourite = static_cast<int32_t>(random.between(0, experts - 1));
  for (int64_t i = 0; i < slots; ++i) {
    auto index = static_cast<int32_t>(random.between(0, experts - 1));
    if (kind == 1 || (kind == 2 && random.chance(0.8))) index = favourite;
    if (kind == 3 && random.chance(0.3)) index = -1;
    indices.push_back(index);
  }
  return indices;
}

// Rebuilds the plan from its definition: experts in order, each one's slots in order.
void check_plan(const Plan& plan, int64_t alignment) {
  const bool masked = plan.args.layout == PermutationLayout::masked;
  int64_t row = 0;
  std::vector<int32_t> owner(size_of(plan.args.row_capacity), -1);
  for (int64_t e = 0; e < plan.args.experts; ++e) {
    if (masked) row = e * plan.args.max_rows;
    check(plan.offsets[size_of(e)] == row, "an offset is wrong");
    const int64_t start = row;
    for (size_t slot = 0; slot < plan.indices.size(); ++slot) {
      if (plan.indices[slot] != e) continue;
      const bool fits = masked ? row < start + plan.args.max_rows : row < plan.args.row_capacity;
      checkf(plan.destination[slot] == (fits ? row : -1), "slot %zu goes to %d, not %ld", slot,
             plan.destination[slot], row);
      if (fits) owner[size_of(row)] = static_cast<int32_t>(e);
      row += fits || !masked;
    }
    const int64_t used = std::min(row, masked ? row : plan.args.row_capacity) - start;
    check(plan.counts[size_of(e)] == std::max<int64_t>(used, 0), "a count is wrong");
    if (!masked) row = (row + alignment - 1) / alignment * alignment;
  }
  if (!masked) check(plan.result.rows == row, "the number of rows is wrong");
  if (plan.args.group_index) check(plan.group_index == owner, "the group index is wrong");
  for (size_t slot = 0; slot < plan.indices.size(); ++slot) {
    if (plan.indices[slot] < 0) check(plan.destination[slot] == -1, "a dropped slot has a row");
  }
}

const Case kPlans("permutation plans are stable in every layout, under any skew", [] {
  Pool pool(2);
  Random random(11);
  for (int trial = 0; trial < 600; ++trial) {
    PlanPermutationArgs shape;
    shape.tokens = random.between(0, 60);
    shape.top_k = random.between(1, 8);
    shape.experts = random.between(1, trial % 10 == 0 ? 256 : 20);
    shape.layout = static_cast<PermutationLayout>(trial % 3);
    const int64_t alignment = shape.layout == PermutationLayout::contiguous
                                  ? (random.chance(0.5) ? 128 : random.between(1, 9))
                                  : 1;
    shape.alignment = alignment;
    shape.max_rows = shape.tokens * shape.top_k;
    shape.row_capacity =
        shape.layout == PermutationLayout::masked
            ? shape.experts * shape.max_rows
            : shape.max_rows + shape.experts * (alignment - 1) + random.between(0, 300);
    Plan plan(shape,
              draw_indices(random, shape.tokens * shape.top_k, shape.experts, trial / 3 % 4));
    plan.run(pool);
    check(plan.result.status == PlanStatus::ok, "a fitting plan is not ok");
    check(plan.result.bad_slot == -1, "a good slot is reported");
    check_plan(plan, alignment);
  }
});

const Case kOverflow("rows beyond the capacity are dropped and what was needed is reported", [] {
  Pool pool(1);
  Random random(12);
  for (int trial = 0; trial < 200; ++trial) {
    PlanPermutationArgs shape;
    shape.tokens = 40;
    shape.top_k = 2;
    shape.experts = 4;
    shape.layout = static_cast<PermutationLayout>(trial % 3);
    shape.alignment = shape.layout == PermutationLayout::contiguous ? 16 : 1;
    shape.max_rows = random.between(1, 10);
    shape.row_capacity =
        shape.layout == PermutationLayout::masked ? 4 * shape.max_rows : random.between(0, 79);
    Plan plan(shape, draw_indices(random, 80, 4, 0));
    plan.run(pool);
    check(plan.result.status == PlanStatus::capacity_exceeded, "the overflow went unnoticed");
    check(plan.result.needed_rows >
              (shape.layout == PermutationLayout::masked ? shape.max_rows : shape.row_capacity),
          "the needed rows would fit");
    check_plan(plan, shape.alignment);
  }
});

const Case kBadIndex("an index outside the experts is reported and treated as dropped", [] {
  Pool pool(1);
  for (const int32_t bad : {-2, 4, 2147483647, -2147483647 - 1}) {
    PlanPermutationArgs shape;
    shape.tokens = 3;
    shape.top_k = 2;
    shape.experts = 4;
    shape.row_capacity = 6;
    Plan plan(shape, {0, 1, -1, bad, 3, bad});
    plan.run(pool);
    check(plan.result.status == PlanStatus::index_out_of_range, "a bad index went unnoticed");
    check(plan.result.bad_slot == 3, "the wrong slot is reported");
    check(plan.destination == std::vector<int32_t>({0, 1, -1, -1, 2, -1}), "the rest moved");
  }
});

struct Permutation {
  int64_t tokens;
  int64_t top_k;
  int64_t bytes;
  int64_t out_rows;
  int64_t scale_columns;
  std::vector<int32_t> destination;
  std::vector<int32_t> group_index;
};

// Sources of each output row: a token, -1 for zero, -2 for untouched.
std::vector<int64_t> expected_sources(const Permutation& p) {
  std::vector<int64_t> sources(size_of(p.out_rows), -2);
  for (int64_t row = 0; row < p.out_rows; ++row) {
    if (!p.group_index.empty() && p.group_index[size_of(row)] < 0) sources[size_of(row)] = -1;
  }
  for (size_t slot = 0; slot < p.destination.size(); ++slot) {
    const int64_t row = p.destination[slot];
    if (row >= 0 && row < p.out_rows) {
      sources[size_of(row)] = static_cast<int64_t>(slot) / p.top_k;
    }
  }
  return sources;
}

void try_permutation(Pool& pool, Random& random, const Permutation& p, ScaleFormat format) {
  std::vector<uint8_t> source(size_of(p.tokens * (p.bytes + 3)));
  for (uint8_t& byte : source) byte = static_cast<uint8_t>(random.next());
  std::vector<uint8_t> out(size_of(p.out_rows * (p.bytes + 5)), kPoison);
  std::vector<uint8_t> from_bytes;
  std::vector<uint8_t> to_bytes;
  PermuteRowsArgs args;
  args.source_scales = grid_on(from_bytes, format, p.tokens, p.scale_columns, random.chance(0.5));
  for (uint8_t& byte : from_bytes) byte = static_cast<uint8_t>(random.next());
  args.out_scales = grid_on(to_bytes, format, p.out_rows, p.scale_columns, random.chance(0.5));
  args.destination = p.destination.data();
  args.tokens = p.tokens;
  args.top_k = p.top_k;
  args.source = source.data();
  args.source_row_stride = p.bytes + 3;
  args.out = out.data();
  args.out_row_stride = p.bytes + 5;
  args.row_bytes = p.bytes;
  args.out_rows = p.out_rows;
  args.group_index = p.group_index.empty() ? nullptr : p.group_index.data();
  args.scale_columns = p.scale_columns;
  permute_rows(pool, Isa::baseline, args);
  const std::vector<int64_t> sources = expected_sources(p);
  const uint32_t poison = format == ScaleFormat::f32 ? 0xa5a5a5a5u : 0xa5u;
  int64_t wrong = 0;
  for (int64_t row = 0; row < p.out_rows; ++row) {
    const int64_t token = sources[size_of(row)];
    for (int64_t b = 0; b < p.bytes + 5; ++b) {
      const uint8_t there = out[size_of(row * (p.bytes + 5) + b)];
      const uint8_t copied = token < 0 ? 0 : source[size_of(token * (p.bytes + 3) + b % p.bytes)];
      wrong += there != (b >= p.bytes || token == -2 ? kPoison : copied);
    }
    for (int64_t c = 0; c < p.scale_columns; ++c) {
      const uint32_t copied = token < 0 ? 0 : scale_bits(args.source_scales, token, c);
      wrong += scale_bits(args.out_scales, row, c) != (token == -2 ? poison : copied);
    }
  }
  checkf(wrong == 0, "%ld bytes or scales are wrong", wrong);
}

const Case kPermute("permute_rows copies rows with their scales and zeroes padding rows", [] {
  Random random(13);
  for (int trial = 0; trial < 200; ++trial) {
    Pool pool(1 + trial % 2);
    PlanPermutationArgs shape;
    shape.tokens = random.between(1, 50);
    shape.top_k = random.between(1, 4);
    shape.experts = random.between(1, 10);
    shape.layout = static_cast<PermutationLayout>(trial % 3);
    shape.alignment = shape.layout == PermutationLayout::contiguous ? 8 : 1;
    shape.max_rows = random.between(1, 40);
    shape.row_capacity = shape.layout == PermutationLayout::masked
                             ? shape.experts * shape.max_rows
                             : shape.tokens * shape.top_k + 8 * shape.experts;
    Plan plan(shape, draw_indices(random, shape.tokens * shape.top_k, shape.experts, trial % 4));
    plan.run(pool);
    Permutation p{shape.tokens,
                  shape.top_k,
                  random.between(1, 300),
                  shape.row_capacity,
                  random.between(0, 5),
                  plan.destination,
                  {}};
    if (plan.args.group_index) p.group_index = plan.group_index;
    try_permutation(pool, random, p, random.chance(0.5) ? ScaleFormat::f32 : ScaleFormat::ue8m0);
  }
});

const Case kHostile("a destination outside the buffer is skipped", [] {
  Pool pool(1);
  Random random(14);
  try_permutation(pool, random, {4, 1, 16, 3, 1, {2, 2147483647, -2147483647 - 1, 3}, {}},
                  ScaleFormat::f32);
});

}  // namespace
}  // namespace deepgemm::cpu::test
