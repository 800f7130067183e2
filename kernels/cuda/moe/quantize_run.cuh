// A thread's share of a 1x128 scale block, from f32 values to e4m3: the rule of
// quantize/scale_rule.cuh.
#pragma once

#include "moe/floats.cuh"
#include "quantize/scale_rule.cuh"

namespace deepgemm {

constexpr u32 kInfinite = 0x7f800000u;

// The larger of `largest` and the magnitudes that are finite, as bits of f32. Infinities make it
// look at each element; NaN is what fmaxf passes over.
template <int kRuns>
DEEPGEMM_DEVICE u32 largest_finite(const float (&values)[kRuns][kRun]) {
  float largest = 0.0f;
#pragma unroll
  for (int i = 0; i < kRuns * kRun; ++i) {
    largest = fmaxf(largest, fabsf(values[i / kRun][i % kRun]));
  }
  if (__float_as_uint(largest) < kInfinite) return __float_as_uint(largest);
  u32 bits = 0;
#pragma unroll
  for (int i = 0; i < kRuns * kRun; ++i) {
    const u32 own = __float_as_uint(fabsf(values[i / kRun][i % kRun]));
    bits = most(bits, own < kInfinite ? own : 0);
  }
  return bits;
}

// One byte per element, the first in the lowest. A NaN keeps its sign.
DEEPGEMM_DEVICE void encode(const float (&values)[kRun], float inverse, u32 (&codes)[2]) {
  codes[0] = codes[1] = 0;
#pragma unroll
  for (int i = 0; i < kRun; i += 2) {
    u32 pair = ptx::to_e4m3x2(__fmul_rn(values[i], inverse), __fmul_rn(values[i + 1], inverse));
    if (values[i] != values[i]) pair |= __float_as_uint(values[i]) >> 24 & 0x80u;
    if (values[i + 1] != values[i + 1]) pair |= __float_as_uint(values[i + 1]) >> 16 & 0x8000u;
    codes[i / 4] |= pair << i % 4 * 8;
  }
}

}  // namespace deepgemm
