// From rows of codes to packed tiles and panels: transpose 16-bit pairs, then decode.
#pragma once

#include "gemm/kernel/hooks.hpp"
#include "gemm/kernel/lines.hpp"

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
  // `rows` are Lines' buffer: kLine apart.
  static void transpose_group(const uint8_t* rows, Bytes (&codes)[4]) {
    constexpr int64_t kLine = Lines<kCols>::kLine;
    // 128-bit segment s of column[c] holds row 4s + c.
    Bytes column[4];
    for (int c = 0; c < 4; ++c) column[c] = Hooks::gather16(rows + c * kLine, 4 * kLine);
    const Bytes low01 = Hooks::interleave16_low(column[0], column[1]);
    const Bytes low23 = Hooks::interleave16_low(column[2], column[3]);
    const Bytes high01 = Hooks::interleave16_high(column[0], column[1]);
    const Bytes high23 = Hooks::interleave16_high(column[2], column[3]);
    codes[0] = Hooks::interleave32_low(low01, low23);
    codes[1] = Hooks::interleave32_high(low01, low23);
    codes[2] = Hooks::interleave32_low(high01, high23);
    codes[3] = Hooks::interleave32_high(high01, high23);
  }

  static void group(const uint8_t* rows, uint32_t* packed, int stride) {
    Bytes codes[4];
    transpose_group(rows, codes);
    decode_group(codes, packed, stride);
  }

  static void decode_group(const Bytes (&codes)[4], uint32_t* packed, int stride) {
    for (int i = 0; i < 4; ++i) {
      Bytes even, odd;
      Hooks::expand(codes[i], even, odd);
      std::memcpy(packed + (2 * i) * stride, &even, sizeof(Bytes));
      std::memcpy(packed + (2 * i + 1) * stride, &odd, sizeof(Bytes));
    }
  }

  static constexpr int kTileVectors = (Hooks::kRows + kLanes - 1) / kLanes;
  static constexpr int kTileSlots = kTileVectors * kLanes;

  static void tile_group(const uint8_t* rows, int count, Pair* packed) {
    alignas(64) uint32_t words[kGroupPairs * kTileSlots];
    for (int v = 0; v * kLanes < count; ++v) {
      group(rows + v * kLanes * Lines<kTileSlots>::kLine, words + v * kLanes, kTileSlots);
    }
    for (int p = 0; p < kGroupPairs; ++p) {
      for (int r = 0; r < count; ++r) {
        packed[p * count + r] = Hooks::make_pair(words[p * kTileSlots + r]);
      }
    }
  }

  static void tile(const CodeRows& source, void* packed) {
    Pair* out = static_cast<Pair*>(packed);
    Lines<kTileSlots> lines(source);
    for (int64_t g = 0; g < lines.groups(); ++g, out += kGroupPairs * source.rows) {
      if (g % lines.kGroupsPerLine == 0) lines.fetch(g / lines.kGroupsPerLine);
      tile_group(lines.group(g), source.rows, out);
    }
  }
};

}  // namespace
}  // namespace deepgemm::cpu
