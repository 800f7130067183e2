// The largest magnitudes of blocks, over the vectors of one translation unit.
#pragma once

#include <type_traits>

#include "cast/kernels.hpp"
#include "cast/vectors.hpp"

namespace deepgemm::cpu {
namespace {

template <class Memory>
const typename Memory::Element* elements(const void* source) {
  return static_cast<const typename Memory::Element*>(source);
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

// The largest patterns of a block's vectors, those of finite elements when kFinite.
template <class Memory, bool kFinite>
inline typename Memory::Pattern block_best(const typename Memory::Element* from) {
  using Pattern = typename Memory::Pattern;
  using Lane = typename std::conditional_t<sizeof *from == 4, uint32_t, uint16_t>;
  constexpr int64_t kPerVector = sizeof(Pattern) / sizeof *from;
  Pattern best[2] = {};
#pragma GCC unroll 32
  for (int64_t i = 0; i < kScaleBlock / kPerVector; ++i) {
    Pattern pattern =
        load<Pattern>(from + i * kPerVector) & static_cast<Lane>(Memory::kPatternMask);
    if constexpr (kFinite) pattern = finite_or_zero(pattern, Memory::kInfinity);
    best[i % 2] = i < 2 ? pattern : larger(best[i % 2], pattern);
  }
  return larger(best[0], best[1]);
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

// The larger of what a and b hold in lanes that differ in bit kBit: of a in lanes without that bit,
// of b in the others. Lanes are 32 bits wide, whatever is compared in them.
template <int kBit, class Pattern>
inline Pattern fold(Pattern a, Pattern b) {
  Bits kept, other;
  for (int lane = 0; lane < kLanes; ++lane) {
    const int from = lane & kBit ? static_cast<int>(kLanes) : 0;
    kept[lane] = static_cast<uint32_t>(from + lane);
    other[lane] = static_cast<uint32_t>(from + (lane ^ kBit));
  }
  return larger((Pattern)__builtin_shuffle((Bits)a, (Bits)b, kept),
                (Pattern)__builtin_shuffle((Bits)a, (Bits)b, other));
}

template <int kBit, class Pattern>
inline void fold_all(Pattern (&vectors)[kLanes]) {
  if constexpr (kBit > 0) {
#pragma GCC unroll 8
    for (int i = 0; i < kBit; ++i) vectors[i] = fold<kBit>(vectors[i], vectors[i + kBit]);
    fold_all<kBit / 2>(vectors);
  }
}

// Lane i is the largest element of vector i.
template <class Pattern>
inline Bits largest_of_each(Pattern (&vectors)[kLanes]) {
  fold_all<kLanes / 2>(vectors);
  const Bits lanes = (Bits)vectors[0];
  if constexpr (std::is_same_v<Pattern, Bits>) return lanes;
  return larger(lanes & 0xffffu, lanes >> 16);
}

// Lane i is the largest pattern of the i-th block of kLanes: over one row they stay in registers.
template <class Memory, bool kFinite>
inline Bits row_patterns(const typename Memory::Element* from) {
  typename Memory::Pattern best[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) best[i] = block_best<Memory, kFinite>(from + i * kScaleBlock);
  return largest_of_each(best);
}

// The same over many rows, of `blocks` blocks; other lanes are zero. Rows run outside, so that
// memory is read in long pieces.
template <class Memory, bool kFinite>
Bits rows_patterns(const char* source, int64_t row_bytes, int64_t rows, int64_t blocks) {
  typename Memory::Pattern best[kLanes] = {};
  for (int64_t r = 0; r < rows; ++r) {
    const auto* from = elements<Memory>(source + r * row_bytes);
    for (int64_t b = 0; b < blocks; ++b) {
      best[b] = larger(best[b], block_best<Memory, kFinite>(from + b * kScaleBlock));
    }
  }
  return largest_of_each(best);
}

// The largest pattern of each block; returns the largest of all.
template <class Memory, bool kFinite>
uint32_t amax_patterns(const char* source, int64_t row_bytes, int64_t rows, int64_t count,
                       uint32_t* patterns) {
  constexpr auto kBlockBytes = static_cast<int64_t>(kScaleBlock * sizeof(typename Memory::Element));
  const int64_t whole = count / kScaleBlock;
  Bits all = {};
  for (int64_t b = 0; b < whole; b += kLanes) {
    const char* from = source + b * kBlockBytes;
    const Bits lanes = rows == 1 && b + kLanes <= whole
                           ? row_patterns<Memory, kFinite>(elements<Memory>(from))
                           : rows_patterns<Memory, kFinite>(
                                 from, row_bytes, rows, b + kLanes <= whole ? kLanes : whole - b);
    store(patterns + b, lanes);
    all = larger(all, lanes);
  }
  const uint32_t largest = largest_lane(all);
  if (whole * kScaleBlock == count) return largest;
  const uint32_t last = amax_tail<Memory, kFinite>(source + whole * kBlockBytes, row_bytes, rows,
                                                   count - whole * kScaleBlock);
  patterns[whole] = last;
  return last > largest ? last : largest;
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

}  // namespace
}  // namespace deepgemm::cpu
