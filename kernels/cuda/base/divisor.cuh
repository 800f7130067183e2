// Division by a number that the host knows before the launch: a product and a shift, in a tenth of
// the time. Plain arithmetic: the host's tests run this file.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

// By d, of numbers below 2^31: with s = ceil(log2 d), the shift is 31 + s and the multiplier
// ceil(2^(31 + s) / d), which 32 bits hold. (Granlund and Montgomery, "Division by Invariant
// Integers using Multiplication", 1994, theorem 4.2.)
struct Divisor {
  u32 multiplier;
  u32 shift;

  DEEPGEMM_ANYWHERE u32 quotient(u32 number) const {
    return static_cast<u32>(static_cast<u64>(number) * multiplier >> shift);
  }
};

}  // namespace deepgemm
