// Bodies of CastKernels over the vectors of one translation unit.
#pragma once

#include "cast/kernels.hpp"
#include "cast/transpose_impl.hpp"
#include "cast/vectors.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kUnit = 4 * kLanes;  // elements whose codes fill one store

template <class Memory>
const typename Memory::Element* elements(const void* source) {
  return static_cast<const typename Memory::Element*>(source);
}

template <bool kSpecial>
inline void encode_unit(uint8_t* to, Float a, Float b, Float c, Float d) {
  store_codes(to, e4m3_lanes<kSpecial>(a), e4m3_lanes<kSpecial>(b), e4m3_lanes<kSpecial>(c),
              e4m3_lanes<kSpecial>(d));
}

inline uint32_t finite_or_zero(uint32_t abs_bits) {
  return abs_bits < kInfinityBits ? abs_bits : 0u;
}

inline Bits finite_or_zero(Bits abs_bits) {
  return abs_bits & (Bits)((Int)abs_bits < (int32_t)kInfinityBits);
}

// The finite maximum of a row that is known to hold something else as well.
template <class Memory>
Amax amax_special(const typename Memory::Element* from, int64_t count, uint32_t seed) {
  Bits best = splat_bits(seed);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    best = larger(best, finite_or_zero((Bits)Memory::load_vector(from + i) & kAbsMask));
  }
  uint32_t result = largest_lane(best);
  for (; i < count; ++i) {
    const uint32_t bits = finite_or_zero(bits_of(Memory::decode(from[i])) & kAbsMask);
    result = bits > result ? bits : result;
  }
  return {result, true};
}

template <class Memory>
Amax amax_row(const void* source, int64_t count, Amax seed) {
  const auto* from = elements<Memory>(source);
  Bits best[4] = {};
  int64_t i = 0;
  for (; i + kUnit <= count; i += kUnit) {
    for (int64_t j = 0; j < 4; ++j) {
      best[j] = larger(best[j], (Bits)Memory::load_vector(from + i + j * kLanes) & kAbsMask);
    }
  }
  uint32_t result = largest_lane(larger(larger(best[0], best[1]), larger(best[2], best[3])));
  for (; i < count; ++i) {
    const uint32_t bits = bits_of(Memory::decode(from[i])) & kAbsMask;
    result = bits > result ? bits : result;
  }
  if (result >= kInfinityBits) return amax_special<Memory>(from, count, seed.bits);
  return {result > seed.bits ? result : seed.bits, seed.special};
}

template <class Memory, bool kSpecial>
void encode_uniform(const typename Memory::Element* from, int64_t count, float inverse,
                    uint8_t* to) {
  int64_t i = 0;
  for (; i + kUnit <= count; i += kUnit) {
    Float x[4];
    for (int64_t j = 0; j < 4; ++j) x[j] = Memory::load_vector(from + i + j * kLanes) * inverse;
    encode_unit<kSpecial>(to + i, x[0], x[1], x[2], x[3]);
  }
  for (; i < count; ++i) to[i] = e4m3_from_f32(Memory::decode(from[i]) * inverse);
}

template <class Memory>
void encode_row(const void* source, int64_t count, float inverse, bool special, uint8_t* to) {
  if (special) return encode_uniform<Memory, true>(elements<Memory>(source), count, inverse, to);
  encode_uniform<Memory, false>(elements<Memory>(source), count, inverse, to);
}

inline void put_scale(const ScaleCursor& scales, int64_t block, const BlockScale& scale) {
  if (scales.format == ScaleFormat::f32) {
    static_cast<float*>(scales.data)[block * scales.stride] = scale.scale;
  } else {
    static_cast<uint8_t*>(scales.data)[block * scales.stride] = scale.code;
  }
}

// A block that holds NaN or an infinity: rare, and kept out of the way of the others.
template <class Memory>
[[gnu::noinline, gnu::cold]] void quantize_special_block(const typename Memory::Element* from,
                                                         int64_t count, uint8_t* to,
                                                         const ScaleCursor& scales, int64_t block) {
  const Amax amax = amax_special<Memory>(from, count, 0);
  const BlockScale scale = block_scale(amax.bits, scales.format == ScaleFormat::ue8m0);
  put_scale(scales, block, scale);
  encode_uniform<Memory, true>(from, count, scale.inverse, to);
}

// A whole block in registers: read once, whatever the row's length.
template <class Memory>
void quantize_block(const typename Memory::Element* from, uint8_t* to, const ScaleCursor& scales,
                    int64_t block) {
  constexpr int64_t kVectors = kScaleBlock / kLanes;
  Float x[kVectors];
  for (int64_t j = 0; j < kVectors; ++j) x[j] = Memory::load_vector(from + j * kLanes);
  Bits best[4] = {};
  for (int64_t j = 0; j < kVectors; ++j) best[j % 4] = larger(best[j % 4], (Bits)x[j] & kAbsMask);
  const uint32_t amax = largest_lane(larger(larger(best[0], best[1]), larger(best[2], best[3])));
  if (amax >= kInfinityBits) {
    return quantize_special_block<Memory>(from, kScaleBlock, to, scales, block);
  }
  const BlockScale scale = block_scale(amax, scales.format == ScaleFormat::ue8m0);
  put_scale(scales, block, scale);
  for (int64_t j = 0; j < kVectors; j += 4) {
    encode_unit<false>(to + j * kLanes, x[j] * scale.inverse, x[j + 1] * scale.inverse,
                       x[j + 2] * scale.inverse, x[j + 3] * scale.inverse);
  }
}

template <class Memory>
void quantize_row(const void* source, int64_t count, uint8_t* to, ScaleCursor scales) {
  const auto* from = elements<Memory>(source);
  int64_t i = 0;
  for (; i + kScaleBlock <= count; i += kScaleBlock) {
    quantize_block<Memory>(from + i, to + i, scales, i / kScaleBlock);
  }
  if (i == count) return;
  const Amax amax = amax_row<Memory>(from + i, count - i, {0, false});
  const BlockScale scale = block_scale(amax.bits, scales.format == ScaleFormat::ue8m0);
  put_scale(scales, i / kScaleBlock, scale);
  encode_row<Memory>(from + i, count - i, scale.inverse, amax.special, to + i);
}

template <class Memory>
bool amax_columns(const void* source, int64_t count, uint32_t* amax) {
  const auto* from = elements<Memory>(source);
  Bits seen = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Bits bits = (Bits)Memory::load_vector(from + i) & kAbsMask;
    seen = larger(seen, bits);
    store(amax + i, larger(load<Bits>(amax + i), finite_or_zero(bits)));
  }
  uint32_t largest = largest_lane(seen);
  for (; i < count; ++i) {
    const uint32_t bits = bits_of(Memory::decode(from[i])) & kAbsMask;
    largest = bits > largest ? bits : largest;
    const uint32_t finite = finite_or_zero(bits);
    amax[i] = finite > amax[i] ? finite : amax[i];
  }
  return largest >= kInfinityBits;
}

template <class Memory, bool kSpecial>
void encode_scaled(const typename Memory::Element* from, int64_t count, const float* inverse,
                   uint8_t* to) {
  int64_t i = 0;
  for (; i + kUnit <= count; i += kUnit) {
    Float x[4];
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t at = i + j * kLanes;
      x[j] = Memory::load_vector(from + at) * load<Float>(inverse + at);
    }
    encode_unit<kSpecial>(to + i, x[0], x[1], x[2], x[3]);
  }
  for (; i < count; ++i) to[i] = e4m3_from_f32(Memory::decode(from[i]) * inverse[i]);
}

template <class Memory>
void encode_columns(const void* source, int64_t count, const float* inverse, bool special,
                    uint8_t* to) {
  if (special) return encode_scaled<Memory, true>(elements<Memory>(source), count, inverse, to);
  encode_scaled<Memory, false>(elements<Memory>(source), count, inverse, to);
}

template <class Memory>
void decode_row(const uint8_t* values, int64_t count, float scale, void* out) {
  auto* to = static_cast<typename Memory::Element*>(out);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Memory::store_vector(to + i, f32_from_e4m3_lanes(values + i) * scale);
  }
  for (; i < count; ++i) to[i] = Memory::encode(f32_from_e4m3(values[i]) * scale);
}

template <class Memory>
void decode_columns(const uint8_t* values, int64_t count, const float* scales, void* out) {
  auto* to = static_cast<typename Memory::Element*>(out);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Memory::store_vector(to + i, f32_from_e4m3_lanes(values + i) * load<Float>(scales + i));
  }
  for (; i < count; ++i) to[i] = Memory::encode(f32_from_e4m3(values[i]) * scales[i]);
}

template <class From, class To>
void convert(const void* source, int64_t count, void* out) {
  const auto* from = elements<From>(source);
  auto* to = static_cast<typename To::Element*>(out);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) To::store_vector(to + i, From::load_vector(from + i));
  for (; i < count; ++i) to[i] = To::encode(From::decode(from[i]));
}

#define DEEPGEMM_PER_TYPE(kernel) \
  { kernel<F32Memory>, kernel<F16Memory>, kernel<Bf16Memory> }
#define DEEPGEMM_CONVERT(From) \
  { convert<From, F32Memory>, convert<From, F16Memory>, convert<From, Bf16Memory> }

constexpr CastKernels kCastKernels{
    DEEPGEMM_PER_TYPE(quantize_row),
    DEEPGEMM_PER_TYPE(amax_row),
    DEEPGEMM_PER_TYPE(encode_row),
    DEEPGEMM_PER_TYPE(amax_columns),
    DEEPGEMM_PER_TYPE(encode_columns),
    DEEPGEMM_PER_TYPE(decode_row),
    DEEPGEMM_PER_TYPE(decode_columns),
    {DEEPGEMM_CONVERT(F32Memory), DEEPGEMM_CONVERT(F16Memory), DEEPGEMM_CONVERT(Bf16Memory)},
    transpose_tile,
};

#undef DEEPGEMM_PER_TYPE
#undef DEEPGEMM_CONVERT

}  // namespace
}  // namespace deepgemm::cpu
