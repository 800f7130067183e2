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

// cvt.rn.f16x2.e4m3x2: two codes as two f16, exactly.
DEEPGEMM_DEVICE u32 from_e4m3x2(u32 codes) {
  u32 halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(static_cast<u16>(codes)));
  return halves;
}

// cvt.rn.f16x2.f32: overflows to infinity.
DEEPGEMM_DEVICE u32 to_f16x2(float low, float high) {
  u32 packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

// cvt.f32.f16
DEEPGEMM_DEVICE float from_f16(u32 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(static_cast<u16>(bits)));
  return value;
}

}  // namespace deepgemm::ptx
