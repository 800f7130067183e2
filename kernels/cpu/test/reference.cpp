#include "reference.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "deepgemm/cpu/prepack.hpp"

namespace deepgemm::cpu::test {
namespace {

constexpr uint32_t kPoison32 = 0xdeadbeef;
constexpr uint16_t kPoison16 = 0xbeef;
constexpr int64_t kMargin = 5;

// Dequantised, row by row.
std::vector<double> real_values(const Operand& operand, int64_t rows, int64_t k) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(rows * k));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < k; ++i) {
      const float scale = operand.scales[r / operand.scale_block_rows * operand.scale_row_stride +
                                         i / 128 * operand.scale_k_stride];
      values.push_back(decode_e4m3(operand.values[r * operand.row_stride + i]) * scale);
    }
  }
  return values;
}

}  // namespace

double decode_e4m3(uint8_t code) {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  const double sign = code & 0x80 ? -1 : 1;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<double>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(mantissa, -9);
  return sign * std::ldexp(8 + mantissa, exponent - 10);
}

float float_from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

GuardedBytes::GuardedBytes(size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t usable = (size + page - 1) / page * page;
  mapped_ = usable + page;
  void* mapping =
      mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED || mprotect(static_cast<uint8_t*>(mapping) + usable, page, PROT_NONE)) {
    std::abort();
  }
  mapping_ = static_cast<uint8_t*>(mapping);
  data_ = mapping_ + usable - size;
}

GuardedBytes::~GuardedBytes() { munmap(mapping_, mapped_); }

Matrix::Matrix(Random& random, int64_t rows_, int64_t k_, int32_t scale_block_rows,
               bool transposed_scales)
    : rows(rows_), k(k_) {
  const int64_t stride = k + random.between(0, 3);
  const int64_t size = rows > 0 ? (rows - 1) * stride + k : 0;
  values = std::make_unique<GuardedBytes>(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    const uint8_t code = static_cast<uint8_t>(random.next());
    values->data()[i] = (code & 0x7f) == 0x7f ? 0 : code;
  }
  const int64_t scale_rows = (rows + scale_block_rows - 1) / scale_block_rows;
  const int64_t blocks = (k + 127) / 128;
  scales.resize(static_cast<size_t>(scale_rows * blocks));
  for (float& scale : scales) scale = static_cast<float>(std::exp2(random.unit() * 8 - 4));
  operand = {.values = values->data(),
             .row_stride = stride,
             .scales = scales.data(),
             .scale_row_stride = transposed_scales ? 1 : blocks,
             .scale_k_stride = transposed_scales ? scale_rows : 1,
             .scale_block_rows = scale_block_rows};
}

Panels::Panels(const Matrix& matrix)
    : values(std::make_unique<GuardedBytes>(
          static_cast<size_t>(prepacked_bytes(matrix.rows, matrix.k)))),
      operand(matrix.operand) {
  Pool pool(1);
  prepack(pool, {.values = matrix.operand.values,
                 .row_stride = matrix.operand.row_stride,
                 .rows = matrix.rows,
                 .k = matrix.k,
                 .packed = values->data()});
  operand.values = values->data();
  operand.row_stride = 0;
  operand.prepacked = true;
}

Output::Output(Random& random, int64_t rows_, int64_t cols_, OutType out_)
    : rows(rows_), cols(cols_), stride(cols_ + kMargin), out(out_) {
  const size_t size = static_cast<size_t>(rows * stride);
  if (out == OutType::f32) {
    words.assign(size, kPoison32);
  } else {
    halves.assign(size, kPoison16);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(random.unit() * 64 - 32));
      const size_t at = static_cast<size_t>(r * stride + c);
      if (out == OutType::f32) {
        words[at] = bits;
      } else {
        halves[at] = static_cast<uint16_t>(bits >> 16);
      }
    }
  }
}

void* Output::d() {
  return out == OutType::f32 ? static_cast<void*>(words.data()) : static_cast<void*>(halves.data());
}

float Output::at(int64_t row, int64_t col) const {
  const size_t index = static_cast<size_t>(row * stride + col);
  return out == OutType::f32 ? std::bit_cast<float>(words[index]) : float_from_bf16(halves[index]);
}

std::vector<float> Output::values() const {
  std::vector<float> all;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) all.push_back(at(r, c));
  }
  return all;
}

bool Output::margins_untouched() const {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = cols; c < stride; ++c) {
      const size_t index = static_cast<size_t>(r * stride + c);
      if (out == OutType::f32 ? words[index] != kPoison32 : halves[index] != kPoison16)
        return false;
    }
  }
  return true;
}

std::string compare(const GemmTask& task, const std::vector<float>& before) {
  const std::vector<double> a = real_values(task.a, task.m, task.k);
  const std::vector<double> b = real_values(task.b, task.n, task.k);
  for (int64_t r = 0; r < task.m; ++r) {
    for (int64_t c = 0; c < task.n; ++c) {
      double expected = task.accumulate ? before[static_cast<size_t>(r * task.n + c)] : 0;
      double magnitude = std::abs(expected);
      for (int64_t k = 0; k < task.k; ++k) {
        const double product =
            a[static_cast<size_t>(r * task.k + k)] * b[static_cast<size_t>(c * task.k + k)];
        expected += product;
        magnitude += std::abs(product);
      }
      const size_t at = static_cast<size_t>(r * task.d_row_stride + c);
      const float actual = task.out == OutType::f32
                               ? static_cast<const float*>(task.d)[at]
                               : float_from_bf16(static_cast<const uint16_t*>(task.d)[at]);
      // f32 rounding of up to 128 sums per block, then one per block; bf16 keeps 8 bits.
      double bound = magnitude * 0x1p-24 * 24;
      if (task.out == OutType::bf16) bound += std::abs(expected) * 0x1p-8;
      const bool same =
          std::isnan(expected) ? std::isnan(actual) : std::abs(actual - expected) <= bound;
      if (!same) {
        return "D[" + std::to_string(r) + ", " + std::to_string(c) + "] is " +
               std::to_string(actual) + ", expected " + std::to_string(expected);
      }
    }
  }
  return "";
}

}  // namespace deepgemm::cpu::test
