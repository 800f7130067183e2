// A packed tile times a packed panel.
#pragma once

#include "gemm/kernel/hooks.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks>
struct Multiply : Vectors<Hooks> {
  using V = Vectors<Hooks>;
  using typename V::F;
  using typename V::Pair;
  using V::kCols, V::kLanes, V::kVectors;

  template <int kRows>
  using Accumulators = F[kRows][kVectors];

  template <int kRows>
  [[gnu::always_inline]] static void pairs(const Pair* a, const uint32_t* b, int64_t count,
                                           Accumulators<kRows>& acc) {
    for (int64_t p = 0; p < count; ++p) {
      part<kRows, 0>(a, b, acc);
      if constexpr (Hooks::kParts == 2) {
        // Without this both parts' weights are prepared at once, too many for 16 registers.
        __asm__ volatile("" ::: "memory");
        part<kRows, 1>(a, b, acc);
      }
      a += kRows;
      b += kCols;
    }
  }

  template <int kRows, int kPart>
  [[gnu::always_inline]] static void part(const Pair* a, const uint32_t* b,
                                          Accumulators<kRows>& acc) {
    typename Hooks::Weight weight[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      weight[v] = Hooks::template weight<kPart>(V::load_pairs(b + v * kLanes));
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = Hooks::template dot<kPart>(acc[r][v], weight[v], a + r);
      }
  }

  // totals (+)= acc * scales: the second level of accumulation.
  template <int kRows>
  [[gnu::always_inline]] static void promote(const Accumulators<kRows>& acc, const float* a_scales,
                                             const float* b_scales, float* totals, bool first) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        float* total = totals + r * kCols + v * kLanes;
        const F scale = V::load(b_scales + v * kLanes) * a_scales[r];
        V::store(total, Hooks::fma(acc[r][v], scale, first ? F{} : V::load(total)));
      }
    }
  }

  template <int kRows>
  static void tile(const TileProduct& product) {
    const Pair* a = static_cast<const Pair*>(product.a);
    const uint32_t* b = product.b;
    const float* a_scales = product.a_scales;
    const float* b_scales = product.b_scales;
    bool first = product.first;
    for (int64_t left = product.pairs; left > 0; left -= kPairsPerBlock) {
      const int64_t count = left < kPairsPerBlock ? left : kPairsPerBlock;
      F acc[kRows][kVectors] = {};
      pairs<kRows>(a, b, count, acc);
      promote<kRows>(acc, a_scales, b_scales, product.totals, first);
      a += count * kRows;
      b += count * kCols;
      a_scales += kRows;
      b_scales += kCols;
      first = false;
    }
  }
};

}  // namespace
}  // namespace deepgemm::cpu
