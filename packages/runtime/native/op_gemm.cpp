#include <span>
#include <string>
#include <vector>

#include "deepgemm/cpu/gemm.hpp"
#include "deepgemm/cpu/grouped.hpp"
#include "deepgemm/cpu/prepack.hpp"
#include "op_call.h"
#include "ops.h"

namespace deepgemm {
namespace {

using Indices = std::span<const int32_t>;

cpu::Operand read_operand(OpCall& call) {
  cpu::Operand operand;
  operand.values = call.pointer<const uint8_t>();
  operand.row_stride = call.i64();
  operand.prepacked = operand.row_stride < 0;
  operand.scales = call.pointer<const float>();
  operand.scale_row_stride = call.i64();
  operand.scale_k_stride = call.i64();
  operand.scale_block_rows = call.i32();
  return operand;
}

// A product of 128 x 128 x 128 is as much work as moving 64 Ki elements.
int64_t product_effort(int64_t batch, int64_t m, int64_t n, int64_t k) {
  constexpr double kProductsPerElement = 32;
  const double effort = double(batch) * double(m) * double(n) * double(k) / kProductsPerElement;
  return effort < 1e18 ? int64_t(effort) : int64_t(1e18);
}

template <typename Layout>
void read_output(OpCall& call, Layout& layout) {
  layout.d = call.pointer<void>();
  layout.d_row_stride = call.i64();
  layout.out = call.choice<cpu::OutType>();
  layout.accumulate = call.flag();
}

cpu::GroupedWeights read_weights(OpCall& call) {
  cpu::GroupedWeights weights;
  weights.first = read_operand(call);
  weights.group_stride = call.i64();
  weights.group_scale_stride = call.i64();
  weights.groups = call.i64();
  return weights;
}

Indices read_indices(OpCall& call) {
  const int32_t* data = call.pointer<const int32_t>();
  return {data, static_cast<size_t>(call.i64())};
}

// Checked and used from a private copy: JavaScript may write to shared memory in between.
std::vector<int32_t> snapshot(Indices indices) { return {indices.begin(), indices.end()}; }

JobError bad_index(const char* what, int64_t at, Indices indices, std::string allowed) {
  return {"ERR_GROUP", std::string(what) + "[" + std::to_string(at) + "] is out of range",
          std::to_string(indices[static_cast<size_t>(at)]), std::move(allowed)};
}

// gemm: m, n, k, A, B, D, batch count, then the batch strides of A, its scales, B, its scales, D.
Napi::Value gemm(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::GemmTask first;
  first.m = call.i64();
  first.n = call.i64();
  first.k = call.i64();
  first.a = read_operand(call);
  first.b = read_operand(call);
  read_output(call, first);
  const int64_t batch = call.i64();
  const int64_t a_stride = call.i64(), a_scale_stride = call.i64();
  const int64_t b_stride = call.i64(), b_scale_stride = call.i64();
  const int64_t d_bytes = call.i64() * (first.out == cpu::OutType::f32 ? 4 : 2);
  const int64_t effort = product_effort(batch, first.m, first.n, first.k);
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) {
    std::vector<cpu::GemmTask> tasks(static_cast<size_t>(batch), first);
    for (int64_t i = 0; i < batch; i++) {
      cpu::GemmTask& task = tasks[static_cast<size_t>(i)];
      task.a.values += i * a_stride;
      task.a.scales += i * a_scale_stride;
      task.b.values += i * b_stride;
      task.b.scales += i * b_scale_stride;
      task.d = static_cast<uint8_t*>(task.d) + i * d_bytes;
    }
    cpu::gemm(pool, isa, tasks);
  });
}

cpu::GroupedRows read_rows(OpCall& call) {
  cpu::GroupedRows layout;
  layout.rows = call.i64();
  layout.n = call.i64();
  layout.k = call.i64();
  layout.a = read_operand(call);
  layout.b = read_weights(call);
  read_output(call, layout);
  return layout;
}

// gemmContiguous: rows, n, k, A, weights, D, groupIndex.
Napi::Value gemm_contiguous(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const cpu::GroupedRows layout = read_rows(call);
  const Indices shared_index = read_indices(call);
  const int64_t effort = product_effort(1, layout.rows, layout.n, layout.k);
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) -> std::optional<JobError> {
    const std::vector<int32_t> index = snapshot(shared_index);
    const int64_t bad = cpu::first_bad_group_index(index, layout.b.groups);
    if (bad >= 0) {
      return bad_index("groupIndex", bad, index,
                       "-1 for padding or a group below " + std::to_string(layout.b.groups));
    }
    cpu::gemm(pool, isa, cpu::contiguous_tasks(layout, index));
    return std::nullopt;
  });
}

// gemmPacked: rows, n, k, A, weights, D, groupOffsets.
Napi::Value gemm_packed(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const cpu::GroupedRows layout = read_rows(call);
  const Indices shared_offsets = read_indices(call);
  const int64_t effort = product_effort(1, layout.rows, layout.n, layout.k);
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) -> std::optional<JobError> {
    const std::vector<int32_t> offsets = snapshot(shared_offsets);
    const int64_t bad = cpu::first_bad_offset(offsets, layout.rows);
    if (bad >= 0) {
      return bad_index("groupOffsets", bad, offsets,
                       "offsets that start at 0 or more, never decrease and end at or before row " +
                           std::to_string(layout.rows));
    }
    cpu::gemm(pool, isa, cpu::packed_tasks(layout, offsets));
    return std::nullopt;
  });
}

// gemmMasked: max rows, n, k, A and its group strides, weights, D and its group stride, groupSizes.
Napi::Value gemm_masked(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::MaskedRows layout;
  layout.max_rows = call.i64();
  layout.n = call.i64();
  layout.k = call.i64();
  layout.a = read_operand(call);
  layout.a_group_stride = call.i64();
  layout.a_group_scale_stride = call.i64();
  layout.b = read_weights(call);
  read_output(call, layout);
  layout.d_group_stride = call.i64();
  const Indices shared_sizes = read_indices(call);
  const int64_t effort = product_effort(layout.b.groups, layout.max_rows, layout.n, layout.k);
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) -> std::optional<JobError> {
    const std::vector<int32_t> sizes = snapshot(shared_sizes);
    const int64_t bad = cpu::first_bad_masked_size(sizes, layout.max_rows);
    if (bad >= 0) {
      return bad_index("groupSizes", bad, sizes, "0 to " + std::to_string(layout.max_rows));
    }
    cpu::gemm(pool, isa, cpu::masked_tasks(layout, sizes));
    return std::nullopt;
  });
}

// Blocks of 128 that groups of these sizes have; each group's blocks start at its first column.
int64_t scale_columns_of(const std::vector<int32_t>& sizes) {
  int64_t columns = 0;
  for (const int32_t size : sizes) columns += (int64_t{size} + 127) / 128;
  return columns;
}

// gemmKGrouped: m, n, total k, A, B, D and its group stride, groupSizes, columns of the scales.
Napi::Value gemm_k_grouped(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::GroupedK layout;
  layout.m = call.i64();
  layout.n = call.i64();
  layout.total_k = call.i64();
  layout.a = read_operand(call);
  layout.b = read_operand(call);
  read_output(call, layout);
  layout.d_group_stride = call.i64();
  const Indices shared_sizes = read_indices(call);
  const int64_t scale_columns = call.i64();
  const int64_t effort = product_effort(1, layout.m, layout.n, layout.total_k);
  return call.enqueue(effort, [=](cpu::Pool& pool, cpu::Isa isa) -> std::optional<JobError> {
    const std::vector<int32_t> sizes = snapshot(shared_sizes);
    const int64_t bad = cpu::first_bad_k_size(sizes, layout.total_k);
    if (bad >= 0) {
      return bad_index(
          "groupSizes", bad, sizes,
          "sizes of 0 or more that add up to at most " + std::to_string(layout.total_k));
    }
    const int64_t needed = scale_columns_of(sizes);
    if (needed > scale_columns) {
      return JobError{"ERR_GROUP", "groupSizes have more blocks of 128 than there are scales",
                      std::to_string(needed) + " blocks",
                      "at most " + std::to_string(scale_columns)};
    }
    cpu::gemm(pool, isa, cpu::k_grouped_tasks(layout, sizes));
    return std::nullopt;
  });
}

// prepack: groups, rows, k, values and their group and row strides, panels.
decltype(auto) prepack(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t groups = call.i64();
  cpu::PrepackArgs first;
  first.rows = call.i64();
  first.k = call.i64();
  first.values = call.pointer<const uint8_t>();
  const int64_t group_stride = call.i64();
  first.row_stride = call.i64();
  first.packed = call.pointer<uint8_t>();
  const int64_t bytes = cpu::prepacked_bytes(first.rows, first.k);
  return call.enqueue(groups * bytes, [=](cpu::Pool& pool, cpu::Isa) {
    for (int64_t group = 0; group < groups; group++) {
      cpu::PrepackArgs args = first;
      args.values += group * group_stride;
      args.packed += group * bytes;
      cpu::prepack(pool, args);
    }
  });
}

}  // namespace

void define_gemm_ops(Napi::Env env, Napi::Object exports) {
  exports.Set("gemm", Napi::Function::New<gemm>(env));
  exports.Set("gemmContiguous", Napi::Function::New<gemm_contiguous>(env));
  exports.Set("gemmPacked", Napi::Function::New<gemm_packed>(env));
  exports.Set("gemmMasked", Napi::Function::New<gemm_masked>(env));
  exports.Set("prepack", Napi::Function::New<prepack>(env));
  exports.Set("gemmKGrouped", Napi::Function::New<gemm_k_grouped>(env));
}

}  // namespace deepgemm
