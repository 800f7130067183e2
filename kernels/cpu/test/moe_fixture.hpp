// What the tests of the mixture-of-experts functions share.
#pragma once

#include <vector>

#include "deepgemm/cpu/moe.hpp"
#include "float_reference.hpp"

namespace deepgemm::cpu::test {

inline constexpr uint8_t kPoison = 0xa5;

inline size_t size_of(int64_t count) { return static_cast<size_t>(count); }

// A grid of scales stored k-major or mn-major.
inline ScaleGrid grid_on(std::vector<uint8_t>& bytes, ScaleFormat format, int64_t rows,
                         int64_t columns, bool mn_major) {
  const int64_t padded = (rows + 3) / 4 * 4;
  bytes.assign(size_of(padded * columns * (format == ScaleFormat::f32 ? 4 : 1)), kPoison);
  return {bytes.data(), format, 0, mn_major ? 1 : columns, mn_major ? padded : 1, 0};
}

inline uint32_t scale_bits(const ScaleGrid& grid, int64_t row, int64_t column) {
  const int64_t at = row * grid.row_stride + column * grid.column_stride;
  return grid.format == ScaleFormat::f32 ? static_cast<const uint32_t*>(grid.data)[at]
                                         : static_cast<const uint8_t*>(grid.data)[at];
}

}  // namespace deepgemm::cpu::test
