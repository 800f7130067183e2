// The copy engine's swizzles: within rows of kSpan bytes, 16-byte units change places so that a
// column of units spreads over all banks. Offsets count from an address that is a multiple of 8
// spans.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

template <int kSpan>
DEEPGEMM_ANYWHERE constexpr u32 swizzled(u32 offset) {
  static_assert(kSpan == 32 || kSpan == 64 || kSpan == 128, "a swizzle spans 32, 64 or 128 bytes");
  // Unit bits 4.. are xor-ed with the bits from 7 on, as many as a span has unit bits.
  return offset ^ ((offset >> 3) & (kSpan - 16));
}

}  // namespace deepgemm
