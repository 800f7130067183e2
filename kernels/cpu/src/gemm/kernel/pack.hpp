// From rows of codes to packed tiles and panels: transpose 16-bit pairs, then decode.
#pragma once

#include "gemm/kernel/hooks.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks>
struct Pack : Vectors<Hooks> {
  using V = Vectors<Hooks>;
  using typename V::Bytes;
  using typename V::Pair;
  using V::kCols, V::kGroupPairs, V::kLanes, V::kVectors;

  // Transposes 16 of K for the columns of one f32 vector: codes[i] holds pairs 2i and 2i + 1 in the
  // low and high half of each 128 bits.
  static void transpose_group(const uint8_t* const* rows, int64_t k, Bytes (&codes)[4]) {
    constexpr int kSegments = kLanes / 4;  // 128-bit segments; segment s holds columns 4s .. 4s + 3
    Bytes column[4];
    for (int c = 0; c < 4; ++c) {
      const uint8_t* chosen[kSegments];
      for (int s = 0; s < kSegments; ++s) chosen[s] = rows[4 * s + c];
      column[c] = Hooks::gather16(chosen, k);
    }
    const Bytes low01 = Hooks::interleave16_low(column[0], column[1]);
    const Bytes low23 = Hooks::interleave16_low(column[2], column[3]);
    const Bytes high01 = Hooks::interleave16_high(column[0], column[1]);
    const Bytes high23 = Hooks::interleave16_high(column[2], column[3]);
    codes[0] = Hooks::interleave32_low(low01, low23);
    codes[1] = Hooks::interleave32_high(low01, low23);
    codes[2] = Hooks::interleave32_low(high01, high23);
    codes[3] = Hooks::interleave32_high(high01, high23);
  }

  static void group(const uint8_t* const* rows, int64_t k, uint32_t* packed, int stride) {
    Bytes codes[4];
    transpose_group(rows, k, codes);
    for (int i = 0; i < 4; ++i) {
      Bytes even, odd;
      Hooks::expand(codes[i], even, odd);
      std::memcpy(packed + (2 * i) * stride, &even, sizeof(Bytes));
      std::memcpy(packed + (2 * i + 1) * stride, &odd, sizeof(Bytes));
    }
  }

  static constexpr int kTileVectors = (Hooks::kRows + kLanes - 1) / kLanes;
  static constexpr int kTileSlots = kTileVectors * kLanes;

  static void tile_group(const uint8_t* const* rows, int64_t k, int count, Pair* packed) {
    alignas(64) uint32_t words[kGroupPairs * kTileSlots];
    for (int v = 0; v * kLanes < count; ++v) {
      group(rows + v * kLanes, k, words + v * kLanes, kTileSlots);
    }
    for (int p = 0; p < kGroupPairs; ++p) {
      for (int r = 0; r < count; ++r) {
        packed[p * count + r] = Hooks::make_pair(words[p * kTileSlots + r]);
      }
    }
  }

  static void tile(const CodeRows& source, void* packed) {
    Pair* out = static_cast<Pair*>(packed);
    const RowPointers<kTileSlots> rows(source);
    int64_t k = 0;
    for (; k + kGroupK <= source.k; k += kGroupK, out += kGroupPairs * source.rows) {
      tile_group(rows.at, k, source.rows, out);
    }
    if (k == source.k) return;
    const TailGroup<kTileSlots> tail(rows, k, source.k);
    tile_group(tail.at, 0, source.rows, out);
  }
};

}  // namespace
}  // namespace deepgemm::cpu
