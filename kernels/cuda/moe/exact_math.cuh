// exp and sigmoid with the bits of the CPU's kernels (kernels/cpu/src/moe/kernels_impl.hpp), so
// that both devices select the same experts: the same operations in the same order, none
// contracted.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

// p * r + c with two roundings.
DEEPGEMM_DEVICE float multiply_add(float p, float r, float c) {
  return __fadd_rn(__fmul_rn(p, r), c);
}

// x = n ln 2 + r, a Taylor polynomial in r, and 2^n in two factors so that the ends of the range
// work. ln 2 is split so that n times its first part is exact. A NaN passes through.
DEEPGEMM_DEVICE float exact_exp(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  constexpr float kMagic = 0x1.8p23f;  // adding it rounds to an integer
  const float shifted = multiply_add(x, 0x1.715476p0f, kMagic);
  const float n = __fsub_rn(shifted, kMagic);
  const float r =
      __fsub_rn(__fsub_rn(x, __fmul_rn(n, 0x1.62e4p-1f)), __fmul_rn(n, 0x1.7f7d1cp-20f));
  float p = multiply_add(r, 1.0f / 5040.0f, 1.0f / 720.0f);
  p = multiply_add(p, r, 1.0f / 120.0f);
  p = multiply_add(p, r, 1.0f / 24.0f);
  p = multiply_add(p, r, 1.0f / 6.0f);
  p = multiply_add(p, r, 0.5f);
  p = __fadd_rn(__fadd_rn(__fmul_rn(__fmul_rn(p, r), r), r), 1.0f);
  const int power = __float_as_int(shifted) - __float_as_int(kMagic);
  const int half = power >> 1;
  const float first = __uint_as_float(static_cast<u32>(half + 127) << 23);
  const float second = __uint_as_float(static_cast<u32>(power - half + 127) << 23);
  return __fmul_rn(__fmul_rn(p, first), second);
}

DEEPGEMM_DEVICE float exact_sigmoid(float x) {
  return __fdiv_rn(1.0f, __fadd_rn(1.0f, exact_exp(-x)));
}

}  // namespace deepgemm
