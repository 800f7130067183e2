// Byte transposition by 16x16 squares in registers.
#pragma once

#include <cstdint>
#include <cstring>

namespace deepgemm::cpu {
namespace {

typedef uint8_t Row16 __attribute__((vector_size(16)));

inline Row16 zip_low(Row16 a, Row16 b) {
  return __builtin_shuffle(a, b, Row16{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
}

inline Row16 zip_high(Row16 a, Row16 b) {
  return __builtin_shuffle(a, b,
                           Row16{8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31});
}

// Four rounds of perfect shuffles: each zips row i with row i + 8.
inline void transpose_16x16(const uint8_t* source, int64_t source_stride, uint8_t* out,
                            int64_t out_stride) {
  Row16 rows[16];
  for (int64_t i = 0; i < 16; ++i) std::memcpy(&rows[i], source + i * source_stride, 16);
#pragma GCC unroll 4
  for (int round = 0; round < 4; ++round) {
    Row16 next[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      next[2 * i] = zip_low(rows[i], rows[i + 8]);
      next[2 * i + 1] = zip_high(rows[i], rows[i + 8]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = next[i];
  }
  for (int64_t i = 0; i < 16; ++i) std::memcpy(out + i * out_stride, &rows[i], 16);
}

void transpose_tile(const uint8_t* source, int64_t source_stride, uint8_t* out, int64_t out_stride,
                    int64_t rows, int64_t columns) {
  const int64_t whole_rows = rows - rows % 16;
  const int64_t whole_columns = columns - columns % 16;
  for (int64_t r = 0; r < whole_rows; r += 16) {
    for (int64_t c = 0; c < whole_columns; c += 16) {
      transpose_16x16(source + r * source_stride + c, source_stride, out + c * out_stride + r,
                      out_stride);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) {
      out[c * out_stride + r] = source[r * source_stride + c];
    }
  }
}

}  // namespace
}  // namespace deepgemm::cpu
