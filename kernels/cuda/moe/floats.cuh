// Eight neighbouring elements of a row in any of the float types, as f32, and their codes.
#pragma once

#include "base/choices.cuh"
#include "ptx/convert.cuh"
#include "ptx/stmatrix.cuh"

namespace deepgemm {

constexpr int kRun = 8;

template <Source kType>
constexpr int kBytesOf = kType == Source::kF32 ? 4 : 2;

template <Source kType>
DEEPGEMM_DEVICE float float_of(u32 bits) {
  if constexpr (kType == Source::kF32) return __uint_as_float(bits);
  if constexpr (kType == Source::kF16) return ptx::from_f16(bits);
  return __uint_as_float(bits << 16);
}

template <Source kType>
struct Run {
  static constexpr int kWords = kRun * kBytesOf<kType> / 4;

  u32 words[kWords];

  // Elements from `index` of the row at `row`; those from `end` on read as zero. Unaligned rows are
  // read one element at a time.
  template <bool kAligned>
  DEEPGEMM_DEVICE void load(const void* row, u32 index, u32 end) {
#pragma unroll
    for (int w = 0; w < kWords; ++w) words[w] = 0;
    if (index >= end) return;
    const u8* from = static_cast<const u8*>(row) + static_cast<u64>(index) * kBytesOf<kType>;
    if constexpr (kAligned) {
#pragma unroll
      for (int w = 0; w < kWords; w += 4) {
        const uint4 vector = reinterpret_cast<const uint4*>(from)[w / 4];
        words[w] = vector.x;
        words[w + 1] = vector.y;
        words[w + 2] = vector.z;
        words[w + 3] = vector.w;
      }
    } else {
#pragma unroll
      for (int i = 0; i < kRun; ++i) {
        if (index + i >= end) break;
        if constexpr (kType == Source::kF32) {
          words[i] = reinterpret_cast<const u32*>(from)[i];
        } else {
          words[i / 2] |= static_cast<u32>(reinterpret_cast<const u16*>(from)[i]) << i % 2 * 16;
        }
      }
    }
  }

  DEEPGEMM_DEVICE float value(int i) const {
    if constexpr (kType == Source::kF32) return __uint_as_float(words[i]);
    // The upper half of a word is a bf16's place in an f32.
    if constexpr (kType == Source::kBf16) {
      return __uint_as_float(i % 2 == 0 ? words[i / 2] << 16 : words[i / 2] & 0xffff0000u);
    }
    return ptx::from_f16(words[i / 2] >> i % 2 * 16 & 0xffffu);
  }
};

// Two elements of 16 bits, the first in the lower half, rounded to nearest even.
template <Source kType>
DEEPGEMM_DEVICE u32 pack_pair(float low, float high) {
  if constexpr (kType == Source::kBf16) return ptx::pack_bf16(low, high);
  return ptx::to_f16x2(low, high);
}

// Rows that are aligned hold whole runs.
template <Source kType, bool kAligned>
DEEPGEMM_DEVICE void store_run(void* row, u32 index, u32 end, const float (&values)[kRun]) {
  if (index >= end) return;
  u8* to = static_cast<u8*>(row) + static_cast<u64>(index) * kBytesOf<kType>;
  u32 words[Run<kType>::kWords];
#pragma unroll
  for (int w = 0; w < Run<kType>::kWords; ++w) {
    if constexpr (kType == Source::kF32) {
      words[w] = __float_as_uint(values[w]);
    } else {
      words[w] = pack_pair<kType>(values[2 * w], values[2 * w + 1]);
    }
  }
  if constexpr (kAligned) {
#pragma unroll
    for (int w = 0; w < Run<kType>::kWords; w += 4) {
      reinterpret_cast<uint4*>(to)[w / 4] =
          make_uint4(words[w], words[w + 1], words[w + 2], words[w + 3]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      if (index + i >= end) break;
      if constexpr (kType == Source::kF32) {
        reinterpret_cast<u32*>(to)[i] = words[i];
      } else {
        reinterpret_cast<u16*>(to)[i] = static_cast<u16>(words[i / 2] >> i % 2 * 16);
      }
    }
  }
}

// Codes of a run of e4m3, the first in the lowest byte.
template <bool kAligned>
DEEPGEMM_DEVICE void store_codes_of_run(u8* row, u32 index, u32 end, const u32 (&codes)[2]) {
  if (index >= end) return;
  if constexpr (kAligned) {
    *reinterpret_cast<uint2*>(row + index) = make_uint2(codes[0], codes[1]);
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      if (index + i < end) row[index + i] = static_cast<u8>(codes[i / 4] >> i % 4 * 8);
    }
  }
}

}  // namespace deepgemm
