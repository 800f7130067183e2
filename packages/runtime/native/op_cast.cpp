#include "deepgemm/cpu/cast.hpp"
#include "op_call.h"
#include "op_scale_grid.h"
#include "ops.h"

namespace deepgemm {
namespace {

// quantize: source, type, groups, rows, columns, its strides, values, their strides, recipe,
// scales, transpose.
Napi::Value quantize(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::QuantizeArgs args;
  args.source = call.pointer<const void>();
  args.source_type = call.choice<cpu::FloatType>();
  args.groups = call.i64();
  args.rows = call.i64();
  args.columns = call.i64();
  args.source_group_stride = call.i64();
  args.source_row_stride = call.i64();
  args.values = call.pointer<uint8_t>();
  args.values_group_stride = call.i64();
  args.values_row_stride = call.i64();
  args.recipe = call.choice<cpu::ScaleRecipe>();
  args.scales = read_scale_grid(call);
  args.transpose = call.flag();
  return call.enqueue(args.groups * args.rows * args.columns,
                      [=](cpu::Pool& pool, cpu::Isa isa) { cpu::quantize(pool, isa, args); });
}

// dequantize: values, groups, rows, columns, their strides, recipe, scales, out, type, its strides.
Napi::Value dequantize(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::DequantizeArgs args;
  args.values = call.pointer<const uint8_t>();
  args.groups = call.i64();
  args.rows = call.i64();
  args.columns = call.i64();
  args.values_group_stride = call.i64();
  args.values_row_stride = call.i64();
  args.recipe = call.choice<cpu::ScaleRecipe>();
  args.scales = read_scale_grid(call);
  args.out = call.pointer<void>();
  args.out_type = call.choice<cpu::FloatType>();
  args.out_group_stride = call.i64();
  args.out_row_stride = call.i64();
  return call.enqueue(args.groups * args.rows * args.columns,
                      [=](cpu::Pool& pool, cpu::Isa isa) { cpu::dequantize(pool, isa, args); });
}

// transposeBytes: source, groups, rows, columns, its strides, out, its strides.
Napi::Value transpose_bytes(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::TransposeBytesArgs args;
  args.source = call.pointer<const uint8_t>();
  args.groups = call.i64();
  args.rows = call.i64();
  args.columns = call.i64();
  args.source_group_stride = call.i64();
  args.source_row_stride = call.i64();
  args.out = call.pointer<uint8_t>();
  args.out_group_stride = call.i64();
  args.out_row_stride = call.i64();
  return call.enqueue(args.groups * args.rows * args.columns, [=](cpu::Pool& pool, cpu::Isa isa) {
    cpu::transpose_bytes(pool, isa, args);
  });
}

// relayoutScales: source grid, out grid, groups, rows, columns.
Napi::Value relayout_scales(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::RelayoutScalesArgs args;
  args.source = read_scale_grid(call);
  args.out = read_scale_grid(call);
  args.groups = call.i64();
  args.rows = call.i64();
  args.columns = call.i64();
  return call.enqueue(args.groups * args.rows * args.columns,
                      [=](cpu::Pool& pool, cpu::Isa isa) -> std::optional<JobError> {
                        if (cpu::relayout_scales(pool, isa, args)) return std::nullopt;
                        return JobError{"ERR_RECIPE", "Scales cannot become ue8m0",
                                        "a scale that is no power of two",
                                        "powers of two from 2^-127 to 2^127"};
                      });
}

// convertFloats: source, type, out, type, count.
Napi::Value convert_floats(const Napi::CallbackInfo& info) {
  OpCall call(info);
  cpu::ConvertArgs args;
  args.source = call.pointer<const void>();
  args.source_type = call.choice<cpu::FloatType>();
  args.out = call.pointer<void>();
  args.out_type = call.choice<cpu::FloatType>();
  args.count = call.i64();
  return call.enqueue(args.count,
                      [=](cpu::Pool& pool, cpu::Isa isa) { cpu::convert_floats(pool, isa, args); });
}

}  // namespace

void define_cast_ops(Napi::Env env, Napi::Object exports) {
  exports.Set("quantize", Napi::Function::New<quantize>(env));
  exports.Set("dequantize", Napi::Function::New<dequantize>(env));
  exports.Set("transposeBytes", Napi::Function::New<transpose_bytes>(env));
  exports.Set("relayoutScales", Napi::Function::New<relayout_scales>(env));
  exports.Set("convertFloats", Napi::Function::New<convert_floats>(env));
}

}  // namespace deepgemm
