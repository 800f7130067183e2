// Instructions on two 16-bit halves of a register.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// max.u16x2: the larger of each pair of halves.
DEEPGEMM_DEVICE u32 max_u16x2(u32 a, u32 b) {
  u32 larger;
  asm("max.u16x2 %0, %1, %2;" : "=r"(larger) : "r"(a), "r"(b));
  return larger;
}

}  // namespace deepgemm::ptx
