// Fast approximations of the special function units.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// rcp.approx.ftz: 1 / x with a relative error below 2^-23; 0 beyond 2^126.
DEEPGEMM_DEVICE float reciprocal(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

}  // namespace deepgemm::ptx
