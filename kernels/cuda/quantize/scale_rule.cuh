// The rule of the casts, bit for bit that of kernels/cpu/include/deepgemm/cpu/cast.hpp: amax over
// the finite elements, at least 448 * 2^-63; f32 scales are bound / 448, and values are multiplied
// by 448 / bound; ue8m0 scales are rounded up to a power of two.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

constexpr u32 kAmaxFloorBits = 0x24600000u;  // 448 * 2^-63

struct BlockScale {
  float scale;
  float inverse;
};

// `amax_bits` are those of an f32.
DEEPGEMM_DEVICE BlockScale scale_of(u32 amax_bits, bool ue8m0) {
  const u32 bound_bits = most(amax_bits, kAmaxFloorBits);
  if (ue8m0) {
    // 448 = 1.75 * 2^8: adding 0.25 - 1 ulp of the mantissa carries exactly when 1.75 is passed.
    const u32 code = ((bound_bits + 0x1fffffu) >> 23) - 8u;
    return {__uint_as_float(code << 23), __uint_as_float((254u - code) << 23)};
  }
  const float bound = __uint_as_float(bound_bits);
  return {__fdiv_rn(bound, 448.0f), __fdiv_rn(448.0f, bound)};
}

}  // namespace deepgemm
