// A float64 product of dequantised operands, written without looking at the kernels, and matrices
// to try it on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "check.hpp"
#include "deepgemm/cpu/gemm.hpp"

namespace deepgemm::cpu::test {

double decode_e4m3(uint8_t code);
float float_from_bf16(uint16_t bits);

// Bytes that end exactly where an unreadable page begins.
class GuardedBytes {
 public:
  explicit GuardedBytes(size_t size);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  uint8_t* data() const { return data_; }

 private:
  uint8_t* mapping_;
  size_t mapped_;
  uint8_t* data_;
};

// Random e4m3 rows whose last row ends at an unreadable page, with random scales.
struct Matrix {
  Matrix(Random& random, int64_t rows, int64_t k, int32_t scale_block_rows, bool transposed_scales);

  int64_t rows;
  int64_t k;
  std::unique_ptr<GuardedBytes> values;
  std::vector<float> scales;
  Operand operand;
};

// A matrix's values prepacked, up to an unreadable page, with the matrix's own scales.
struct Panels {
  explicit Panels(const Matrix& matrix);

  std::unique_ptr<GuardedBytes> values;
  Operand operand;
};

// Compares D (holding `task`'s result) with the reference; `before` is D's earlier contents as
// floats, read when accumulating. Returns an empty string or a sentence about the worst element.
std::string compare(const GemmTask& task, const std::vector<float>& before);

// D with a margin of poisoned elements around every row.
struct Output {
  Output(Random& random, int64_t rows, int64_t cols, OutType out);
  float at(int64_t row, int64_t col) const;
  std::vector<float> values() const;
  bool margins_untouched() const;

  int64_t rows, cols, stride;
  OutType out;
  std::vector<uint32_t> words;   // f32 bits, when out is f32
  std::vector<uint16_t> halves;  // bf16 bits, when out is bf16
  void* d();
};

}  // namespace deepgemm::cpu::test
