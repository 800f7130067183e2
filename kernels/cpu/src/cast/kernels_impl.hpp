// Bodies of CastKernels over the vectors of one translation unit.
#pragma once

#include "cast/amax_impl.hpp"
#include "cast/encode_impl.hpp"
#include "cast/transpose_impl.hpp"

namespace deepgemm::cpu {
namespace {

// A ue8m0 code is the exponent of its scale.
inline void put_scale(const ScaleCursor& cursor, int64_t block, float scale) {
  if (cursor.format == ScaleFormat::f32) {
    static_cast<float*>(cursor.data)[block * cursor.stride] = scale;
  } else {
    static_cast<uint8_t*>(cursor.data)[block * cursor.stride] =
        static_cast<uint8_t>(bits_of(scale) >> 23);
  }
}

// The rule of cast.hpp for `count` blocks, in whole vectors: the arrays have room for
// a multiple of 16 elements.
void scale_blocks(const uint32_t* amax, int64_t count, ScaleFormat format, float* scales,
                  float* inverses) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Bits bound = larger(load<Bits>(amax + i), splat_bits(kAmaxFloorBits));
    if (format == ScaleFormat::f32) {
      store(scales + i, (Float)bound / 448.0f);
      store(inverses + i, 448.0f / (Float)bound);
    } else {
      const Bits code = ((bound + 0x1fffffu) >> 23) - 8u;
      store(scales + i, (Float)(code << 23));
      store(inverses + i, (Float)((254u - code) << 23));
    }
  }
}

template <class Memory>
void quantize_row(const void* source, int64_t count, uint8_t* to, ScaleCursor cursor,
                  Encoding encoding) {
  const auto* from = elements<Memory>(source);
  alignas(64) uint32_t amax[kSpanBlocks] = {};
  alignas(64) float scales[kSpanBlocks];
  alignas(64) float inverses[kSpanBlocks];
  for (int64_t i = 0; i < count; i += kSpanColumns) {
    const int64_t span = count - i < kSpanColumns ? count - i : kSpanColumns;
    const int64_t blocks = (span + kScaleBlock - 1) / kScaleBlock;
    const bool special = amax_blocks<Memory>(from + i, 0, 1, span, amax);
    scale_blocks(amax, blocks, cursor.format, scales, inverses);
    for (int64_t b = 0; b < blocks; ++b) put_scale(cursor, i / kScaleBlock + b, scales[b]);
    const BlockRows row{reinterpret_cast<const char*>(from + i), 0, 1, span, to + i, 0};
    encode<Memory, kFirstLevel>(row, inverses, special ? Encoding::special : encoding,
                                kSpanColumns);
  }
}

template <class Memory>
bool amax_columns(const void* source, int64_t count, uint32_t* amax) {
  const auto* from = elements<Memory>(source);
  Bits seen = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Bits bits = (Bits)Memory::load_vector(from + i) & kAbsMask;
    seen = larger(seen, bits);
    store(amax + i, larger(load<Bits>(amax + i), finite_or_zero(bits, kInfinityBits)));
  }
  uint32_t largest = largest_lane(seen);
  for (; i < count; ++i) {
    const uint32_t bits = bits_of(Memory::decode(from[i])) & kAbsMask;
    largest = bits > largest ? bits : largest;
    const uint32_t finite = finite_or_zero(bits, kInfinityBits);
    amax[i] = finite > amax[i] ? finite : amax[i];
  }
  return largest >= kInfinityBits;
}

template <class Memory, Encoding kEncoding>
void encode_scaled(const typename Memory::Element* from, int64_t count, const float* inverse,
                   uint8_t* to) {
  int64_t i = 0;
  for (; i + kUnit <= count; i += kUnit) {
    if (i % kScaleBlock == 0) prefetch_block<Memory, kSecondLevel>(from + i, count);
    Float values[4];
    for (int64_t j = 0; j < 4; ++j) {
      const int64_t at = i + j * kLanes;
      values[j] = Memory::load_vector(from + at) * load<Float>(inverse + at);
    }
    encode_values<kEncoding>(values, to + i);
  }
  for (; i < count; ++i) to[i] = e4m3_from_f32(Memory::decode(from[i]) * inverse[i]);
}

template <class Memory>
void encode_columns(const void* source, int64_t count, const float* inverse, bool special,
                    uint8_t* to) {
  const auto encode =
      special ? encode_scaled<Memory, Encoding::special> : encode_scaled<Memory, Encoding::cached>;
  encode(elements<Memory>(source), count, inverse, to);
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
    DEEPGEMM_PER_TYPE(amax_blocks),
    DEEPGEMM_PER_TYPE(encode_blocks),
    scale_blocks,
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
