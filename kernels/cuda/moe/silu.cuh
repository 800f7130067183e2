// silu(gate) * up in f32, within 7 roundings of the exact value (u = 2^-24 each): fast enough that
// the memory is what limits swiglu. The CPU's form takes twice the instructions.
#pragma once

#include "base/types.cuh"
#include "ptx/math.cuh"

namespace deepgemm {

// exp(x) within 2 u for x >= -88; x below is taken as -88, and what overflows is infinity. No NaN.
DEEPGEMM_DEVICE float fast_exp(float x) {
  constexpr float kMagic = 0x1.8p23f;  // adding it rounds to an integer; its low 9 bits are zero
  x = fminf(fmaxf(x, -88.0f), 89.0f);
  const float shifted = fmaf(x, 0x1.715476p0f, kMagic);
  const float n = __fsub_rn(shifted, kMagic);
  const float r = fmaf(n, -0x1.7f7d1cp-20f, fmaf(n, -0x1.62e4p-1f, x));
  float p = fmaf(r, 1.0f / 5040.0f, 1.0f / 720.0f);
  p = fmaf(p, r, 1.0f / 120.0f);
  p = fmaf(p, r, 1.0f / 24.0f);
  p = fmaf(p, r, 1.0f / 6.0f);
  p = fmaf(p, r, 0.5f);
  p = fmaf(p, r, 1.0f);
  p = fmaf(p, r, 1.0f);
  // n is added to the exponent of p, which lies in [0.7, 1.42]; what passes infinity is infinity.
  const u32 scaled = __float_as_uint(p) + (__float_as_uint(shifted) << 23);
  return __uint_as_float(least(scaled, 0x7f800000u));
}

// (gate / (1 + exp(-gate))) * up. Numerator and denominator are quartered, so that the reciprocal
// of the largest finite denominator is no subnormal. An infinite denominator leaves a NaN in the
// correction, which fmaxf takes as the 0 it should be.
DEEPGEMM_DEVICE float silu_times(float gate, float up) {
  const float denominator = fmaf(fast_exp(-gate), 0.25f, 0.25f);
  const float estimate = ptx::reciprocal(denominator);
  const float error = fmaf(-denominator, estimate, 1.0f);
  const float inverse = fmaxf(fmaf(estimate, error, estimate), 0.0f);
  return __fmul_rn(__fmul_rn(__fmul_rn(gate, 0.25f), inverse), up);
}

}  // namespace deepgemm
