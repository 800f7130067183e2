// Largest magnitudes in the bits of the source format: those of non-negative floats are ordered as
// the floats are, and two 16-bit ones are compared at a time.
#pragma once

#include "base/choices.cuh"
#include "ptx/convert.cuh"
#include "ptx/packed.cuh"

namespace deepgemm {

// A register holds one f32, or two halves of 16 bits.
template <Source kSource>
struct Magnitudes {
  static constexpr bool kPacked = kSource != Source::kF32;
  // The bits of infinity; whatever is not below them is not finite.
  static constexpr u32 kInfinity = kSource == Source::kF32   ? 0x7f800000u
                                   : kSource == Source::kF16 ? 0x7c00u
                                                             : 0x7f80u;

  static DEEPGEMM_DEVICE u32 of(u32 word) { return word & (kPacked ? 0x7fff7fffu : 0x7fffffffu); }

  // Zero for elements that are not finite.
  static DEEPGEMM_DEVICE u32 of_finite(u32 word) {
    const u32 all = of(word);
    if constexpr (!kPacked) return all < kInfinity ? all : 0;
    const u32 low = all & 0xffffu;
    const u32 high = all >> 16;
    return (low < kInfinity ? low : 0) | (high < kInfinity ? high : 0) << 16;
  }

  static DEEPGEMM_DEVICE u32 larger(u32 a, u32 b) {
    if constexpr (kPacked) return ptx::max_u16x2(a, b);
    return most(a, b);
  }

  // The larger of the halves.
  static DEEPGEMM_DEVICE u32 folded(u32 word) {
    if constexpr (kPacked) return most(word & 0xffffu, word >> 16);
    return word;
  }

  static DEEPGEMM_DEVICE bool all_finite(u32 word) { return folded(word) < kInfinity; }

  // The bits of the f32 with the same value; of one element.
  static DEEPGEMM_DEVICE u32 as_f32(u32 element) {
    if constexpr (kSource == Source::kBf16) return element << 16;
    if constexpr (kSource == Source::kF16) return __float_as_uint(ptx::from_f16(element));
    return element;
  }
};

}  // namespace deepgemm
