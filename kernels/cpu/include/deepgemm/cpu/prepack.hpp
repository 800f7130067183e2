// Weights rearranged once, so that products need not transpose them: the same codes, as many bytes.
//
// A panel is 32 rows; panel p of a matrix of K columns starts at p * 32 * padded K, where K is
// padded to a multiple of 16 with zeros, and the last panel with rows of zeros. In a panel, K goes
// by fours: 128 bytes for the four of all rows, 16 for every four rows, in them
//   k, k + 1 of row 0, of row 1, of row 2, of row 3, then k + 2, k + 3 of the same rows.
// Every instruction set reads this one format, so that it may be stored and taken elsewhere.
#pragma once

#include <cstdint>

#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu {

inline constexpr int64_t kPrepackedRows = 32;
inline constexpr int64_t kPrepackedK = 16;

// Bytes of a prepacked matrix.
int64_t prepacked_bytes(int64_t rows, int64_t k);

struct PrepackArgs {
  const uint8_t* values = nullptr;
  int64_t row_stride = 0;  // bytes
  int64_t rows = 0;
  int64_t k = 0;
  uint8_t* packed = nullptr;  // prepacked_bytes(rows, k)
};

void prepack(Pool& pool, const PrepackArgs& args);

// The way back; every byte of `values`' rows is written, none of `packed`.
void unpack(Pool& pool, const uint8_t* packed, int64_t rows, int64_t k, uint8_t* values,
            int64_t row_stride);

}  // namespace deepgemm::cpu
