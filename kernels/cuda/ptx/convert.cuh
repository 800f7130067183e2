// cvt: between f32 and the narrow formats.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// cvt.rn.satfinite.e4m3x2.f32: nearest even, magnitudes above 448 become 448, NaN becomes 0x7f.
DEEPGEMM_DEVICE u32 to_e4m3x2(float low, float high) {
  u16 packed;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(high), "f"(low));
  return packed;
}

// cvt.f32.f16
DEEPGEMM_DEVICE float from_f16(u32 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(static_cast<u16>(bits)));
  return value;
}

}  // namespace deepgemm::ptx
