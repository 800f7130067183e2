// From f32 totals to the output matrix.
#pragma once

#include "gemm/kernel/hooks.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks>
struct Store : Vectors<Hooks> {
  using Vectors<Hooks>::kCols;

  static float widen(uint16_t bits) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, sizeof(value));
    return value;
  }

  // Round to nearest even; NaN stays NaN.
  static uint16_t narrow(float value) {
    uint32_t word;
    std::memcpy(&word, &value, sizeof(word));
    const uint32_t rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    const uint32_t quiet_nan = (word >> 16) | 0x40u;
    return static_cast<uint16_t>((word & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
  }

  static void row_f32(const float* totals, int cols, float* d, bool accumulate) {
    if (!accumulate) {
      std::memcpy(d, totals, static_cast<size_t>(cols) * sizeof(float));
      return;
    }
    for (int c = 0; c < cols; ++c) d[c] += totals[c];
  }

  static void row_bf16(const float* totals, int cols, uint16_t* d, bool accumulate) {
    if (accumulate) {
      for (int c = 0; c < cols; ++c) d[c] = narrow(widen(d[c]) + totals[c]);
    } else if (cols == kCols) {
      for (int c = 0; c < kCols; ++c) d[c] = narrow(totals[c]);
    } else {
      for (int c = 0; c < cols; ++c) d[c] = narrow(totals[c]);
    }
  }

  static void tile(const TileOutput& output) {
    for (int r = 0; r < output.rows; ++r) {
      const float* totals = output.totals + r * kCols;
      const int64_t at = r * output.d_row_stride;
      if (output.out == OutType::f32) {
        row_f32(totals, output.cols, static_cast<float*>(output.d) + at, output.accumulate);
      } else {
        row_bf16(totals, output.cols, static_cast<uint16_t*>(output.d) + at, output.accumulate);
      }
    }
  }
};

}  // namespace
}  // namespace deepgemm::cpu
