// A packed tile times a panel that is still codes: transposing and decoding fill the gaps that
// multiplications leave, so that weights are read once and need no pass of their own.
#pragma once

#include "gemm/kernel/hooks.hpp"
#include "gemm/kernel/multiply.hpp"
#include "gemm/kernel/pack.hpp"
#include "gemm/kernel/sources.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks, class Source>
struct MultiplyCodes : Vectors<Hooks> {
  using V = Vectors<Hooks>;
  using typename V::Bytes;
  using typename V::F;
  using typename V::Pair;
  using V::kCols, V::kGroupPairs, V::kGroupsPerBlock, V::kLanes, V::kVectors;

  // Keeps the compiler from gathering all packing in one place, away from the multiplications.
  [[gnu::always_inline]] static void keep_order() { __asm__ volatile("" ::: "memory"); }

  // ---- few rows: decoded weights stay in registers

  template <int kRows, int kPart>
  [[gnu::always_inline]] static void group_part(const Bytes (&pairs)[kVectors], const Pair* a,
                                                F (&acc)[kRows][kVectors]) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const auto weight = Hooks::template weight<kPart>(pairs[v]);
        acc[r][v] = Hooks::template dot<kPart>(acc[r][v], weight, a + r);
      }
  }

  template <int kRows>
  [[gnu::always_inline]] static void group(const Source& source, int64_t g, const Pair* a,
                                           F (&acc)[kRows][kVectors]) {
    Bytes codes[kVectors][4];
    for (int v = 0; v < kVectors; ++v) source.codes(g, v, codes[v]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      Bytes half[2][kVectors];
      for (int v = 0; v < kVectors; ++v) Hooks::expand(codes[v][i], half[0][v], half[1][v]);
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const Pair* pair = a + (2 * i + h) * kRows;
        group_part<kRows, 0>(half[h], pair, acc);
        if constexpr (Hooks::kParts == 2) group_part<kRows, 1>(half[h], pair, acc);
      }
    }
    keep_order();
  }

  template <int kRows>
  static void few(const CodesProduct& product) {
    Source source(product.b);
    const int64_t groups = source.groups();
    const Pair* a = static_cast<const Pair*>(product.a);
    const float* a_scales = product.a_scales;
    const float* b_scales = product.b_scales;
    bool first = product.first;
    for (int64_t g = 0; g < groups;) {
      F acc[kRows][kVectors] = {};
      const int64_t end = g + kGroupsPerBlock < groups ? g + kGroupsPerBlock : groups;
      for (; g < end; ++g, a += kGroupPairs * kRows) {
        source.advance(g);
        group<kRows>(source, g, a, acc);
      }
      Multiply<Hooks>::template promote<kRows>(acc, a_scales, b_scales, product.totals, first);
      a_scales += kRows;
      b_scales += kCols;
      first = false;
    }
  }

  // ---- more rows: weights go through memory, one group ahead of their use

  static void pack(const Source& source, int64_t g, int vector, uint32_t* packed) {
    Bytes codes[4];
    source.codes(g, vector, codes);
    Pack<Hooks>::decode_group(codes, packed + vector * kLanes, kCols);
    keep_order();
  }

  // kKeep: the whole packed panel stays behind for further tiles.
  template <int kRows, bool kKeep>
  static void many(const CodesProduct& product) {
    constexpr int kGroupWords = kGroupPairs * kCols;
    constexpr int kPart = kGroupPairs / kVectors;
    alignas(64) uint32_t ring[kKeep ? 1 : 2 * kGroupWords];
    Source source(product.b);
    const int64_t groups = source.groups();
    const Pair* a = static_cast<const Pair*>(product.a);
    const float* a_scales = product.a_scales;
    const float* b_scales = product.b_scales;
    bool first = product.first;
    const auto slot = [&](int64_t g) {
      return kKeep ? product.packed + g * kGroupWords : ring + (g & 1) * kGroupWords;
    };
    for (int v = 0; v < kVectors; ++v) pack(source, 0, v, slot(0));
    for (int64_t g = 0; g < groups;) {
      F acc[kRows][kVectors] = {};
      const int64_t end = g + kGroupsPerBlock < groups ? g + kGroupsPerBlock : groups;
      for (; g < end; ++g, a += kGroupPairs * kRows) {
        source.advance(g);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          if (g + 1 < groups) pack(source, g + 1, v, slot(g + 1));
          Multiply<Hooks>::template pairs<kRows>(a + v * kPart * kRows, slot(g) + v * kPart * kCols,
                                                 kPart, acc);
        }
      }
      Multiply<Hooks>::template promote<kRows>(acc, a_scales, b_scales, product.totals, first);
      a_scales += kRows;
      b_scales += kCols;
      first = false;
    }
  }

  template <int kRows>
  static constexpr auto without_packing() {
    return kRows <= Source::kFewRows ? &few<kRows> : &many<kRows, false>;
  }
};

}  // namespace
}  // namespace deepgemm::cpu
