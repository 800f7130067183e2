#pragma once

#include "deepgemm/cpu/grouped.hpp"

namespace deepgemm::cpu {

inline Operand weights_of(const GroupedWeights& weights, int64_t group) {
  Operand operand = weights.first;
  operand.values += group * weights.group_stride;
  operand.scales += group * weights.group_scale_stride;
  return operand;
}

inline std::byte* output_at(void* d, int64_t elements, OutType out) {
  return static_cast<std::byte*>(d) + elements * (out == OutType::f32 ? 4 : 2);
}

// Rows [begin, end) of a shared row space against one group's weights.
inline GemmTask rows_task(const GroupedRows& layout, int64_t begin, int64_t end, int64_t group) {
  GemmTask task{.m = end - begin,
                .n = layout.n,
                .k = layout.k,
                .a = layout.a,
                .b = weights_of(layout.b, group),
                .d = output_at(layout.d, begin * layout.d_row_stride, layout.out),
                .d_row_stride = layout.d_row_stride,
                .out = layout.out,
                .accumulate = layout.accumulate};
  task.a.values += begin * layout.a.row_stride;
  task.a.scales += begin * layout.a.scale_row_stride;
  return task;
}

}  // namespace deepgemm::cpu
