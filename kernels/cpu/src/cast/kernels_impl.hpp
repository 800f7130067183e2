// Bodies of CastKernels over the vectors of one translation unit.
#pragma once

#include <type_traits>

#include "cast/e4m3_vectors.hpp"
#include "cast/kernels.hpp"
#include "cast/transpose_impl.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kUnit = 4 * kLanes;  // elements whose codes fill one store

template <class Memory>
const typename Memory::Element* elements(const void* source) {
  return static_cast<const typename Memory::Element*>(source);
}

// A ue8m0 code is the exponent of its scale.
inline void put_scale(const ScaleCursor& cursor, int64_t block, float scale) {
  if (cursor.format == ScaleFormat::f32) {
    static_cast<float*>(cursor.data)[block * cursor.stride] = scale;
  } else {
    static_cast<uint8_t*>(cursor.data)[block * cursor.stride] =
        static_cast<uint8_t>(bits_of(scale) >> 23);
  }
}

inline uint32_t finite_or_zero(uint32_t pattern, uint32_t infinity) {
  return pattern < infinity ? pattern : 0u;
}

inline Bits finite_or_zero(Bits pattern, uint32_t infinity) {
  return pattern & (Bits)((Int)pattern < (int32_t)infinity);
}

inline Words finite_or_zero(Words pattern, uint32_t infinity) {
  return pattern & (Words)((SignedWords)pattern < static_cast<int16_t>(infinity));
}

template <class Memory>
inline uint32_t element_pattern(const typename Memory::Element* from) {
  if constexpr (sizeof *from == 4) return bits_of(*from) & Memory::kPatternMask;
  return static_cast<uint32_t>(*from) & Memory::kPatternMask;
}

// Raises best to the patterns of [from, from + count), those of finite elements when kFinite.
template <class Memory, bool kFinite>
inline void raise(typename Memory::Pattern& best, const typename Memory::Element* from) {
  using Pattern = typename Memory::Pattern;
  using Lane = typename std::conditional_t<sizeof *from == 4, uint32_t, uint16_t>;
  constexpr int64_t kPerVector = sizeof(Pattern) / sizeof *from;
  Pattern rest[2] = {best, Pattern{}};
#pragma GCC unroll 32
  for (int64_t i = 0; i < kScaleBlock; i += kPerVector) {
    Pattern pattern = load<Pattern>(from + i) & static_cast<Lane>(Memory::kPatternMask);
    if constexpr (kFinite) pattern = finite_or_zero(pattern, Memory::kInfinity);
    rest[i / kPerVector % 2] = larger(rest[i / kPerVector % 2], pattern);
  }
  best = larger(rest[0], rest[1]);
}

template <class Memory, bool kFinite>
uint32_t amax_tail(const char* source, int64_t row_bytes, int64_t rows, int64_t count) {
  uint32_t best = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto* from = elements<Memory>(source + r * row_bytes);
    for (int64_t i = 0; i < count; ++i) {
      uint32_t pattern = element_pattern<Memory>(from + i);
      if constexpr (kFinite) pattern = finite_or_zero(pattern, Memory::kInfinity);
      best = pattern > best ? pattern : best;
    }
  }
  return best;
}

// The largest pattern of each block; returns the largest of all. Rows run outside, so that memory
// is read in long pieces.
template <class Memory, bool kFinite>
uint32_t amax_patterns(const char* source, int64_t row_bytes, int64_t rows, int64_t count,
                       uint32_t* patterns) {
  const int64_t whole = count / kScaleBlock;
  typename Memory::Pattern best[kSpanBlocks];
  for (int64_t b = 0; b < whole; ++b) best[b] = typename Memory::Pattern{};
  for (int64_t r = 0; r < rows; ++r) {
    const auto* from = elements<Memory>(source + r * row_bytes);
    for (int64_t b = 0; b < whole; ++b) raise<Memory, kFinite>(best[b], from + b * kScaleBlock);
  }
  uint32_t largest = 0;
  for (int64_t b = 0; b * kScaleBlock < count; ++b) {
    const int64_t at = b * kScaleBlock;
    patterns[b] = b < whole
                      ? largest_lane(best[b])
                      : amax_tail<Memory, kFinite>(
                            source + at * static_cast<int64_t>(sizeof(typename Memory::Element)),
                            row_bytes, rows, count - at);
    largest = patterns[b] > largest ? patterns[b] : largest;
  }
  return largest;
}

template <class Memory>
bool amax_blocks(const void* source, int64_t row_bytes, int64_t rows, int64_t count,
                 uint32_t* amax) {
  const char* from = static_cast<const char*>(source);
  const bool special =
      amax_patterns<Memory, false>(from, row_bytes, rows, count, amax) >= Memory::kInfinity;
  if (special) amax_patterns<Memory, true>(from, row_bytes, rows, count, amax);
  for (int64_t b = 0; b * kScaleBlock < count; ++b) amax[b] = Memory::f32_pattern(amax[b]);
  return special;
}

// kUnit values already scaled.
template <bool kSpecial>
inline void encode_values(const Float (&values)[4], uint8_t* to) {
  const Bits magnitudes[4] = {
      e4m3_magnitudes<kSpecial>(values[0]), e4m3_magnitudes<kSpecial>(values[1]),
      e4m3_magnitudes<kSpecial>(values[2]), e4m3_magnitudes<kSpecial>(values[3])};
  store_codes(to, magnitudes, values);
}

template <class Memory, bool kSpecial>
inline void encode_unit(const typename Memory::Element* from, Float inverse, uint8_t* to) {
  if constexpr (std::is_same_v<Memory, Bf16Memory>) {
    // Two elements per 32-bit lane: the odd ones are already in place as f32.
    const Bits words[2] = {load<Bits>(from), load<Bits>(from + 2 * kLanes)};
    const Bits magnitudes[4] = {
        e4m3_magnitudes<kSpecial>((Float)(words[0] << 16) * inverse),
        e4m3_magnitudes<kSpecial>((Float)(words[0] & 0xffff0000u) * inverse),
        e4m3_magnitudes<kSpecial>((Float)(words[1] << 16) * inverse),
        e4m3_magnitudes<kSpecial>((Float)(words[1] & 0xffff0000u) * inverse)};
    store_paired_codes(to, magnitudes, words);
  } else {
    const Float values[4] = {Memory::load_vector(from) * inverse,
                             Memory::load_vector(from + kLanes) * inverse,
                             Memory::load_vector(from + 2 * kLanes) * inverse,
                             Memory::load_vector(from + 3 * kLanes) * inverse};
    encode_values<kSpecial>(values, to);
  }
}

// Encoding reads what the maximum has just brought into the cache, and so leaves memory idle: it
// asks for what comes next, which is the span to the right of its own: into the first-level cache
// when that is one row, into the second when it is many. An address outside the matrix does
// nothing.
constexpr int kFirstLevel = 3;
constexpr int kSecondLevel = 2;

template <class Memory, int kLocality>
inline void prefetch_block(const typename Memory::Element* from, int64_t distance) {
  const auto address =
      reinterpret_cast<uintptr_t>(from) + static_cast<uintptr_t>(distance) * sizeof *from;
#pragma GCC unroll 8
  for (uintptr_t byte = 0; byte < kScaleBlock * sizeof *from; byte += 64) {
    __builtin_prefetch(reinterpret_cast<const void*>(address + byte), 0, kLocality);
  }
}

template <class Memory, bool kSpecial, int kLocality>
void encode_block_row(const typename Memory::Element* from, int64_t count, const float* inverse,
                      uint8_t* to) {
  int64_t i = 0;
  for (; i + kScaleBlock <= count; i += kScaleBlock) {
    const Float factor = splat(inverse[i / kScaleBlock]);
    prefetch_block<Memory, kLocality>(from + i, count);
#pragma GCC unroll 2
    for (int64_t j = 0; j < kScaleBlock; j += kUnit) {
      encode_unit<Memory, kSpecial>(from + i + j, factor, to + i + j);
    }
  }
  for (; i < count; ++i) {
    to[i] = e4m3_from_f32(Memory::decode(from[i]) * inverse[i / kScaleBlock]);
  }
}

template <class Memory, int kLocality>
void encode_row(const typename Memory::Element* from, int64_t count, const float* inverse,
                bool special, uint8_t* to) {
  if (special) return encode_block_row<Memory, true, kLocality>(from, count, inverse, to);
  encode_block_row<Memory, false, kLocality>(from, count, inverse, to);
}

template <class Memory>
void encode_blocks(const void* source, int64_t count, const float* inverse, bool special,
                   uint8_t* to) {
  encode_row<Memory, kSecondLevel>(elements<Memory>(source), count, inverse, special, to);
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
void quantize_row(const void* source, int64_t count, uint8_t* to, ScaleCursor cursor) {
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
    encode_row<Memory, kFirstLevel>(from + i, span, inverses, special, to + i);
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

template <class Memory, bool kSpecial>
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
    encode_values<kSpecial>(values, to + i);
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
