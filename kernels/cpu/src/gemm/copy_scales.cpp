#include "gemm/copy_scales.hpp"

#include <algorithm>

namespace deepgemm::cpu {

void copy_scales(const Operand& operand, int64_t first, int rows, int count, int64_t block,
                 int64_t end, float* to) {
  const int64_t first_block = first / operand.scale_block_rows;
  const int64_t last_block = (first + rows - 1) / operand.scale_block_rows;
  for (; block < end; ++block, to += count) {
    const float* from = operand.scales + block * operand.scale_k_stride;
    if (first_block == last_block) {
      std::fill_n(to, count, from[first_block * operand.scale_row_stride]);
      continue;
    }
    for (int r = 0; r < rows; ++r) {
      const int64_t scale_row =
          operand.scale_block_rows == 1 ? first + r : (first + r) / operand.scale_block_rows;
      to[r] = from[scale_row * operand.scale_row_stride];
    }
    std::fill_n(to + rows, count - rows, to[rows - 1]);
  }
}

}  // namespace deepgemm::cpu
