// Vectors of 16 bytes of the source, and their e4m3 codes.
#pragma once

#include "base/choices.cuh"
#include "ptx/convert.cuh"
#include "quantize/scale_rule.cuh"

namespace deepgemm {

template <Source kSource>
struct Elements {
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
      const uint4 vector = __ldg(reinterpret_cast<const uint4*>(from));
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

  DEEPGEMM_DEVICE float value(int i) const {
    if constexpr (kSource == Source::kF32) return __uint_as_float(words[i]);
    const u32 bits = words[i / 2] >> i % 2 * 16 & 0xffffu;
    if constexpr (kSource == Source::kF16) return ptx::from_f16(bits);
    return __uint_as_float(bits << 16);
  }

  DEEPGEMM_DEVICE u32 largest_finite() const {
    u32 largest = 0;
#pragma unroll
    for (int i = 0; i < kCount; ++i) largest = most(largest, finite_magnitude(value(i)));
    return largest;
  }

  // One byte per element, the first in the lowest byte. A NaN keeps its sign.
  DEEPGEMM_DEVICE u64 codes(float inverse) const {
    u64 packed = 0;
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      const float low = __fmul_rn(value(i), inverse);
      const float high = __fmul_rn(value(i + 1), inverse);
      u32 pair = ptx::to_e4m3x2(low, high);
      if (low != low) pair |= __float_as_uint(value(i)) >> 24 & 0x80u;
      if (high != high) pair |= __float_as_uint(value(i + 1)) >> 16 & 0x8000u;
      packed |= static_cast<u64>(pair) << 8 * i;
    }
    return packed;
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

template <bool kUe8m0>
DEEPGEMM_DEVICE void store_scale(void* scales, i64 index, BlockScale scale, bool zero) {
  if constexpr (kUe8m0) {
    static_cast<u8*>(scales)[index] = zero ? 0 : scale.ue8m0();
  } else {
    static_cast<float*>(scales)[index] = zero ? 0.0f : scale.scale;
  }
}

}  // namespace deepgemm
