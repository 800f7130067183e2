// Vectors of 16 bytes of the source, and their e4m3 codes.
#pragma once

#include "base/choices.cuh"
#include "ptx/convert.cuh"
#include "quantize/magnitudes.cuh"

namespace deepgemm {

template <Source kSource>
struct Elements {
  using Magnitude = Magnitudes<kSource>;
  static constexpr int kBytes = kSource == Source::kF32 ? 4 : 2;
  static constexpr int kCount = 16 / kBytes;  // per vector

  u32 words[4];

  // Element `index` of the row at `row`, and those after it; those from `end` on read as zero.
  // Unaligned sources are read one by one.
  template <bool kAligned>
  DEEPGEMM_DEVICE void load(const void* row, u32 index, u32 end) {
    words[0] = words[1] = words[2] = words[3] = 0;
    if (index >= end) return;
    const u8* from = static_cast<const u8*>(row) + static_cast<u64>(index) * kBytes;
    if constexpr (kAligned) {
      const uint4 vector = *reinterpret_cast<const uint4*>(from);
      words[0] = vector.x;
      words[1] = vector.y;
      words[2] = vector.z;
      words[3] = vector.w;
    } else {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        if (index + i >= end) break;
        if constexpr (kBytes == 4) {
          words[i] = reinterpret_cast<const u32*>(from)[i];
        } else {
          words[i / 2] |= static_cast<u32>(reinterpret_cast<const u16*>(from)[i]) << i % 2 * 16;
        }
      }
    }
  }

  // The largest magnitudes of all words, per half where there are halves.
  DEEPGEMM_DEVICE u32 largest() const {
    using M = Magnitude;
    return M::larger(M::larger(M::of(words[0]), M::of(words[1])),
                     M::larger(M::of(words[2]), M::of(words[3])));
  }

  DEEPGEMM_DEVICE u32 largest_finite() const {
    using M = Magnitude;
    return M::larger(M::larger(M::of_finite(words[0]), M::of_finite(words[1])),
                     M::larger(M::of_finite(words[2]), M::of_finite(words[3])));
  }

  DEEPGEMM_DEVICE float value(int i) const {
    if constexpr (kSource == Source::kF32) return __uint_as_float(words[i]);
    const u32 word = words[i / 2];
    if constexpr (kSource == Source::kF16) return ptx::from_f16(word >> i % 2 * 16 & 0xffffu);
    return __uint_as_float(i % 2 == 0 ? word << 16 : word & 0xffff0000u);
  }

  // One byte per element, the first in the lowest byte: `inverse(i)` multiplies element i. A NaN
  // keeps its sign, which is looked at where `special` says that there may be one.
  DEEPGEMM_DEVICE u64 codes(bool special, auto inverse) const {
    u32 packed[2] = {};
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      const u32 pair =
          ptx::to_e4m3x2(__fmul_rn(value(i), inverse(i)), __fmul_rn(value(i + 1), inverse(i + 1)));
      packed[i / 4] |= pair << i % 4 * 8;
    }
    if (special) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const float element = value(i);
        const u32 sign = __float_as_uint(element) >> 24 & 0x80u;
        if (element != element) packed[i / 4] |= sign << i % 4 * 8;
      }
    }
    return packed[0] | static_cast<u64>(packed[1]) << 32;
  }
};

template <Source kSource, bool kAligned>
DEEPGEMM_DEVICE void store_codes(u8* row, u32 index, u32 end, u64 codes) {
  constexpr int kCount = Elements<kSource>::kCount;
  if (index >= end) return;
  if constexpr (!kAligned) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (index + i < end) row[index + i] = static_cast<u8>(codes >> 8 * i);
    }
  } else if constexpr (kCount == 8) {
    *reinterpret_cast<u64*>(row + index) = codes;
  } else {
    *reinterpret_cast<u32*>(row + index) = static_cast<u32>(codes);
  }
}

}  // namespace deepgemm
