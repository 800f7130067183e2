// FP8 matrix multiplication with block scales: D = A * transpose(B).
#pragma once

#include <cstdint>
#include <span>

#include "deepgemm/cpu/isa.hpp"
#include "deepgemm/cpu/pool.hpp"

namespace deepgemm::cpu {

// Products accumulate in f32 over this many elements of K before they are scaled.
inline constexpr int64_t kScaleBlockK = 128;

// Products of so few rows read plain weights along K.
inline constexpr int64_t kFewRows = 2;

enum class OutType { f32, bf16 };

// An e4m3 matrix of rows x K with its scales. Row r, element k of K has the real value
//   decode(values[r * row_stride + k]) *
//       scales[(r / scale_block_rows) * scale_row_stride + (k / 128) * scale_k_stride]
// Nothing outside the K bytes of each row is ever read. Prepacked values (prepack.hpp) are those of
// all rows; only `b` may be so.
struct Operand {
  const uint8_t* values = nullptr;
  int64_t row_stride = 0;  // bytes
  const float* scales = nullptr;
  int64_t scale_row_stride = 0;  // elements
  int64_t scale_k_stride = 0;    // elements
  int32_t scale_block_rows = 1;  // 1 or 128
  bool prepacked = false;        // then row_stride means nothing
};

// D[m, n] = (accumulate ? D : 0) + sum over blocks of K of
//   scale_a * scale_b * (f32 sum of products within the block).
// m, n and k may be any value from 0; k = 0 writes zeros, or leaves D when accumulating.
struct GemmTask {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  Operand a;  // m rows
  Operand b;  // n rows
  void* d = nullptr;
  int64_t d_row_stride = 0;  // elements
  OutType out = OutType::f32;
  bool accumulate = false;
};

// Runs independent problems; their tiles share the pool. The outputs must not overlap one another
// or any operand. The bits of D depend on the operands and the instruction set alone: not on the
// number of threads, nor on which other tasks are in the same call. A row has the same bits
// whatever other rows its task has, but for one difference: tasks of up to kFewRows rows add in
// another order when B is not prepacked. `isa` must be one of available_isas().
void gemm(Pool& pool, Isa isa, std::span<const GemmTask> tasks);

}  // namespace deepgemm::cpu
