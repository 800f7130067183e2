// One square of a transposition, through a small buffer: every line of the output is written whole,
// and a row stride that is a power of two does not thrash one cache set.
#pragma once

#include <cstdint>
#include <cstring>

#include "cast/kernels.hpp"

namespace deepgemm::cpu {

inline constexpr int64_t kSquare = 128;

// out[c * out_stride + r] = source[r * source_stride + c]; rows and columns are at most kSquare.
static inline void transpose_square(const CastKernels& kernels, const uint8_t* source,
                                    int64_t source_stride, uint8_t* out, int64_t out_stride,
                                    int64_t rows, int64_t columns) {
  alignas(64) uint8_t buffer[kSquare * kSquare];
  kernels.transpose(source, source_stride, buffer, kSquare, rows, columns);
  for (int64_t c = 0; c < columns; ++c) {
    std::memcpy(out + c * out_stride, buffer + c * kSquare, static_cast<size_t>(rows));
  }
}

}  // namespace deepgemm::cpu
