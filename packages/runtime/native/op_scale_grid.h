#pragma once

#include "deepgemm/cpu/cast.hpp"
#include "op_call.h"

namespace deepgemm {

// A scale grid is seven parameters: pointer (two), format, three strides, padded rows.
inline cpu::ScaleGrid read_scale_grid(OpCall& call) {
  cpu::ScaleGrid grid;
  grid.data = call.pointer<void>();
  grid.format = call.choice<cpu::ScaleFormat>();
  grid.group_stride = call.i64();
  grid.row_stride = call.i64();
  grid.column_stride = call.i64();
  grid.padded_rows = call.i64();
  return grid;
}

}  // namespace deepgemm
