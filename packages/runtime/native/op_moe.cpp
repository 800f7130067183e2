#include <string>

#include "deepgemm/cpu/moe.hpp"
#include "op_call.h"
#include "op_scale_grid.h"
#include "ops.h"

namespace deepgemm {
namespace {

// route: logits, type, tokens, experts, row stride, top k, gating, normalize, factor, bias, groups,
// top groups, indices, weights.
Napi::Value route(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::RouteArgs args;
  args.logits = call.pointer<const void>();
  args.logits_type = call.choice<cpu::FloatType>();
  args.tokens = call.i64();
  args.experts = call.i64();
  args.logits_row_stride = call.i64();
  args.top_k = call.i64();
  args.gating = call.choice<cpu::RouteGating>();
  args.normalize = call.flag();
  args.scaling_factor = call.f32();
  args.bias = call.pointer<const float>();
  args.groups = call.i64();
  args.top_groups = call.i64();
  args.indices = call.pointer<int32_t>();
  args.weights = call.pointer<float>();
  const int64_t effort = args.tokens * args.experts * args.top_k;
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) { cpu::route(pool, isa, args); });
}

JobError plan_error(const cpu::PlanPermutationArgs& args,
                    const cpu::PlanPermutationResult& result) {
  if (result.status == cpu::PlanStatus::index_out_of_range) {
    return {"ERR_GROUP",
            "Expert index of slot " + std::to_string(result.bad_slot) + " is out of range",
            "an index outside the experts", "-1 or 0 to " + std::to_string(args.experts - 1)};
  }
  const bool masked = args.layout == cpu::PermutationLayout::masked;
  return {"ERR_GROUP", masked ? "A group outgrows its rows" : "Permuted rows outgrow their buffer",
          std::to_string(result.needed_rows) + " rows",
          "at most " + std::to_string(masked ? args.max_rows : args.row_capacity)};
}

// planPermutation: indices, tokens, top k, experts, layout, alignment, max rows, row capacity,
// counts, offsets, destination, group index.
Napi::Value plan_permutation(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::PlanPermutationArgs args;
  args.indices = call.pointer<const int32_t>();
  args.tokens = call.i64();
  args.top_k = call.i64();
  args.experts = call.i64();
  args.layout = call.choice<cpu::PermutationLayout>();
  args.alignment = call.i64();
  args.max_rows = call.i64();
  args.row_capacity = call.i64();
  args.counts = call.pointer<int32_t>();
  args.offsets = call.pointer<int32_t>();
  args.destination = call.pointer<int32_t>();
  args.group_index = call.pointer<int32_t>();
  const int64_t effort = args.tokens * args.top_k + args.row_capacity;
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) -> std::optional<JobError> {
    const cpu::PlanPermutationResult result = cpu::plan_permutation(pool, isa, args);
    if (result.status == cpu::PlanStatus::ok) return std::nullopt;
    return plan_error(args, result);
  });
}

// permuteRows: destination, tokens, top k, source, row stride, out, row stride, row bytes, out
// rows, group index, scale columns, source scales, out scales.
Napi::Value permute_rows(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::PermuteRowsArgs args;
  args.destination = call.pointer<const int32_t>();
  args.tokens = call.i64();
  args.top_k = call.i64();
  args.source = call.pointer<const void>();
  args.source_row_stride = call.i64();
  args.out = call.pointer<void>();
  args.out_row_stride = call.i64();
  args.row_bytes = call.i64();
  args.out_rows = call.i64();
  args.group_index = call.pointer<const int32_t>();
  args.scale_columns = call.i64();
  args.source_scales = read_scale_grid(call);
  args.out_scales = read_scale_grid(call);
  const int64_t effort = args.tokens * args.top_k * args.row_bytes;
  return call.enqueue(effort,
                      [=](cpu::Pool& pool, cpu::Isa isa) { cpu::permute_rows(pool, isa, args); });
}

// A row set: rows, row count, group index, group sizes, rows per group.
cpu::RowSet read_row_set(OpCall& call) {
  cpu::RowSet set;
  set.rows = call.i64();
  set.row_count = call.pointer<const int32_t>();
  set.group_index = call.pointer<const int32_t>();
  set.group_sizes = call.pointer<const int32_t>();
  set.rows_per_group = call.i64();
  return set;
}

// swiglu: row set, columns, input, type, row stride, out, type, row stride.
Napi::Value swiglu(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::SwigluArgs args;
  args.row_set = read_row_set(call);
  args.columns = call.i64();
  args.input = call.pointer<const void>();
  args.input_type = call.choice<cpu::FloatType>();
  args.input_row_stride = call.i64();
  args.out = call.pointer<void>();
  args.out_type = call.choice<cpu::FloatType>();
  args.out_row_stride = call.i64();
  const int64_t effort = args.row_set.rows * args.columns;
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) { cpu::swiglu(pool, isa, args); });
}

// swigluQuantize: row set, columns, input, type, row stride, values, row stride, scales.
Napi::Value swiglu_quantize(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::SwigluQuantizeArgs args;
  args.row_set = read_row_set(call);
  args.columns = call.i64();
  args.input = call.pointer<const void>();
  args.input_type = call.choice<cpu::FloatType>();
  args.input_row_stride = call.i64();
  args.values = call.pointer<uint8_t>();
  args.values_row_stride = call.i64();
  args.scales = read_scale_grid(call);
  const int64_t effort = args.row_set.rows * args.columns;
  return call.enqueue(
      effort, [=](cpu::Pool& pool, cpu::Isa isa) { cpu::swiglu_quantize(pool, isa, args); });
}

// combine: destination, weights, tokens, top k, columns, rows, type, row stride, row capacity,
// addend, type, row stride, out, type, row stride.
Napi::Value combine(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::CombineArgs args;
  args.destination = call.pointer<const int32_t>();
  args.weights = call.pointer<const float>();
  args.tokens = call.i64();
  args.top_k = call.i64();
  args.columns = call.i64();
  args.rows = call.pointer<const void>();
  args.rows_type = call.choice<cpu::FloatType>();
  args.rows_row_stride = call.i64();
  args.row_capacity = call.i64();
  args.addend = call.pointer<const void>();
  args.addend_type = call.choice<cpu::FloatType>();
  args.addend_row_stride = call.i64();
  args.out = call.pointer<void>();
  args.out_type = call.choice<cpu::FloatType>();
  args.out_row_stride = call.i64();
  const int64_t effort = args.tokens * args.top_k * args.columns;
  return call.enqueue(effort,
                      [=](cpu::Pool& pool, cpu::Isa isa) { cpu::combine(pool, isa, args); });
}

}  // namespace

void define_moe_ops(Napi::Env env, Napi::Object exports) {
  exports.Set("route", Napi::Function::New<route>(env));
  exports.Set("planPermutation", Napi::Function::New<plan_permutation>(env));
  exports.Set("permuteRows", Napi::Function::New<permute_rows>(env));
  exports.Set("swiglu", Napi::Function::New<swiglu>(env));
  exports.Set("swigluQuantize", Napi::Function::New<swiglu_quantize>(env));
  exports.Set("combine", Napi::Function::New<combine>(env));
}

}  // namespace deepgemm
