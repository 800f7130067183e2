// Scales in the order in which kernels walk over them.
#pragma once

#include "deepgemm/cpu/gemm.hpp"

namespace deepgemm::cpu {

// Copies the scales of `rows` rows from `first` on, for blocks [block, end), to [block][row]; the
// last `count - rows` of each block repeat the last row's.
void copy_scales(const Operand& operand, int64_t first, int rows, int count, int64_t block,
                 int64_t end, float* to);

}  // namespace deepgemm::cpu
