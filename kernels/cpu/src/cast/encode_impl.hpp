// Rows of scaled elements to e4m3, over the vectors of one translation unit.
#pragma once

#include <type_traits>

#include "cast/e4m3_vectors.hpp"
#include "cast/kernels.hpp"

namespace deepgemm::cpu {
namespace {

constexpr int64_t kUnit = 4 * kLanes;  // elements whose codes fill one store

// kUnit values already scaled.
template <Encoding kEncoding>
inline void encode_values(const Float (&values)[4], uint8_t* to) {
  constexpr bool kSpecial = kEncoding == Encoding::special;
  const Bits magnitudes[4] = {
      e4m3_magnitudes<kSpecial>(values[0]), e4m3_magnitudes<kSpecial>(values[1]),
      e4m3_magnitudes<kSpecial>(values[2]), e4m3_magnitudes<kSpecial>(values[3])};
  store_codes<kEncoding == Encoding::past>(to, magnitudes, values);
}

template <class Memory, Encoding kEncoding>
inline void encode_unit(const typename Memory::Element* from, Float inverse, uint8_t* to) {
  constexpr bool kSpecial = kEncoding == Encoding::special;
  if constexpr (std::is_same_v<Memory, Bf16Memory>) {
    // Two elements per 32-bit lane: the odd ones are already in place as f32.
    const Bits words[2] = {load<Bits>(from), load<Bits>(from + 2 * kLanes)};
    const Bits magnitudes[4] = {
        e4m3_magnitudes<kSpecial>((Float)(words[0] << 16) * inverse),
        e4m3_magnitudes<kSpecial>((Float)(words[0] & 0xffff0000u) * inverse),
        e4m3_magnitudes<kSpecial>((Float)(words[1] << 16) * inverse),
        e4m3_magnitudes<kSpecial>((Float)(words[1] & 0xffff0000u) * inverse)};
    store_paired_codes<kEncoding == Encoding::past>(to, magnitudes, words);
  } else {
    const Float values[4] = {Memory::load_vector(from) * inverse,
                             Memory::load_vector(from + kLanes) * inverse,
                             Memory::load_vector(from + 2 * kLanes) * inverse,
                             Memory::load_vector(from + 3 * kLanes) * inverse};
    encode_values<kEncoding>(values, to);
  }
}

// Encoding reads what the maximum has just brought into the cache, and so leaves memory idle: it
// asks for what comes next. An address outside the matrix does nothing.
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

template <class Memory, Encoding kEncoding, int kLocality>
inline void encode_block_row(const typename Memory::Element* from, int64_t count,
                             const float* inverse, int64_t ahead, uint8_t* to) {
  int64_t i = 0;
  for (; i + kScaleBlock <= count; i += kScaleBlock) {
    const Float factor = splat(inverse[i / kScaleBlock]);
    prefetch_block<Memory, kLocality>(from + i, ahead);
#pragma GCC unroll 2
    for (int64_t j = 0; j < kScaleBlock; j += kUnit) {
      encode_unit<Memory, kEncoding>(from + i + j, factor, to + i + j);
    }
  }
  for (; i < count; ++i) {
    to[i] = e4m3_from_f32(Memory::decode(from[i]) * inverse[i / kScaleBlock]);
  }
}

template <class Memory, Encoding kEncoding, int kLocality>
void encode_rows(const BlockRows& rows, const float* inverse, int64_t ahead) {
  for (int64_t r = 0; r < rows.rows; ++r) {
    const char* from = rows.source + r * rows.row_bytes;
    encode_block_row<Memory, kEncoding, kLocality>(
        reinterpret_cast<const typename Memory::Element*>(from), rows.count, inverse, ahead,
        rows.values + r * rows.values_row_stride);
  }
}

template <class Memory, int kLocality>
void encode(const BlockRows& rows, const float* inverse, Encoding encoding, int64_t ahead) {
  switch (encoding) {
    case Encoding::cached:
      return encode_rows<Memory, Encoding::cached, kLocality>(rows, inverse, ahead);
    case Encoding::past:
      return encode_rows<Memory, Encoding::past, kLocality>(rows, inverse, ahead);
    case Encoding::special:
      return encode_rows<Memory, Encoding::special, kLocality>(rows, inverse, ahead);
  }
}

template <class Memory>
void encode_blocks(const BlockRows& rows, const float* inverse, Encoding encoding, int64_t ahead) {
  encode<Memory, kSecondLevel>(rows, inverse, encoding, ahead);
}

}  // namespace
}  // namespace deepgemm::cpu
