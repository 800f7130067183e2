// The kernels, written once over an instruction set's hooks.
//
// Everything here has internal linkage through its Hooks argument, a type local to one translation
// unit: code compiled for AVX-512 must never be the copy that the linker keeps for the baseline.
// For the same reason no inline function of the standard library is called.
//
// Hooks provide
//   kLanes          f32 lanes of a vector; 4 per 128 bits
//   kVectors        vectors across a panel
//   kRows           most rows of a tile
//   F, Bytes        f32 and byte vectors of the same size
//   Weight          a vector of pairs made ready for `dot`
//   Pair            packed element of A: two values of one row
//   load_weight(const uint32_t*) -> Weight
//   fma(F a, F b, F c) -> F                 a * b + c; fused or not, but always the same
//   dot(F, Weight, const Pair*) -> F        adds both products of the pair
//   make_pair(uint16_t even, uint16_t odd)  from bf16 bits
//   gather16(const uint8_t* const* rows, k) -> Bytes  16 codes of each row; a row per 128 bits
//   interleave16_low/high, interleave32_low/high      within each 128 bits
//   expand(Bytes codes, Bytes& low, Bytes& high)      to bf16, of each 128 bits' halves
#pragma once

#include <cstdint>
#include <cstring>

#include "gemm/kernel_table.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks>
struct TileKernels {
  using F = typename Hooks::F;
  using Bytes = typename Hooks::Bytes;
  using Pair = typename Hooks::Pair;
  static constexpr int kLanes = Hooks::kLanes;
  static constexpr int kVectors = Hooks::kVectors;
  static constexpr int kCols = kLanes * kVectors;
  static constexpr int kGroupPairs = kGroupK / 2;
  static_assert(kCols <= kMaxPanelCols && Hooks::kRows <= kMaxTileRows);

  static F load(const float* from) {
    F value;
    std::memcpy(&value, from, sizeof(F));
    return value;
  }
  static void store(float* to, F value) { std::memcpy(to, &value, sizeof(F)); }

  // ---- multiply

  template <int kRows>
  static void accumulate_block(const Pair* a, const uint32_t* b, int64_t pairs,
                               F (&acc)[kRows][kVectors]) {
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) acc[r][v] = F{};
    for (int64_t p = 0; p < pairs; ++p) {
      typename Hooks::Weight weight[kVectors];
      for (int v = 0; v < kVectors; ++v) weight[v] = Hooks::load_weight(b + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) acc[r][v] = Hooks::dot(acc[r][v], weight[v], a + r);
      a += kRows;
      b += kCols;
    }
  }

  template <int kRows>
  static void multiply(const TileProduct& product) {
    const Pair* a = static_cast<const Pair*>(product.a);
    const uint32_t* b = product.b;
    const float* a_scales = product.a_scales;
    const float* b_scales = product.b_scales;
    bool first = product.first;
    for (int64_t left = product.pairs; left > 0; left -= kPairsPerBlock) {
      const int64_t pairs = left < kPairsPerBlock ? left : kPairsPerBlock;
      F acc[kRows][kVectors];
      accumulate_block<kRows>(a, b, pairs, acc);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          float* total = product.totals + r * kCols + v * kLanes;
          const F scale = load(b_scales + v * kLanes) * a_scales[r];
          store(total, Hooks::fma(acc[r][v], scale, first ? F{} : load(total)));
        }
      }
      a += pairs * kRows;
      b += pairs * kCols;
      a_scales += kRows;
      b_scales += kCols;
      first = false;
    }
  }

  // ---- pack

  // Transposes and decodes 16 of K for the columns of one f32 vector.
  static void pack_group(const uint8_t* const* rows, int64_t k, uint32_t* packed) {
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
    const Bytes codes[4] = {
        Hooks::interleave32_low(low01, low23), Hooks::interleave32_high(low01, low23),
        Hooks::interleave32_low(high01, high23), Hooks::interleave32_high(high01, high23)};
    for (int i = 0; i < 4; ++i) {
      Bytes even, odd;
      Hooks::expand(codes[i], even, odd);
      std::memcpy(packed + (2 * i) * kCols, &even, sizeof(Bytes));
      std::memcpy(packed + (2 * i + 1) * kCols, &odd, sizeof(Bytes));
    }
  }

  static void pack_panel(const CodeRows& source, uint32_t* packed) {
    const uint8_t* rows[kCols];
    for (int c = 0; c < kCols; ++c) {
      rows[c] = source.first + (c < source.rows ? c : source.rows - 1) * source.row_stride;
    }
    int64_t k = 0;
    for (; k + kGroupK <= source.k; k += kGroupK, packed += kGroupPairs * kCols) {
      for (int v = 0; v < kVectors; ++v) pack_group(rows + v * kLanes, k, packed + v * kLanes);
    }
    if (k == source.k) return;
    uint8_t tail[kCols][kGroupK] = {};
    const uint8_t* tail_rows[kCols];
    for (int c = 0; c < kCols; ++c) {
      std::memcpy(tail[c], rows[c] + k, static_cast<size_t>(source.k - k));
      tail_rows[c] = tail[c];
    }
    for (int v = 0; v < kVectors; ++v) pack_group(tail_rows + v * kLanes, 0, packed + v * kLanes);
  }

  // Decodes up to a block of one row to bf16, zero beyond `count`.
  static void decode_block(const uint8_t* codes, int64_t count, uint16_t* out) {
    for (int64_t k = 0; k < count; k += kGroupK) {
      alignas(64) uint8_t padded[sizeof(Bytes)] = {};
      const int64_t left = count - k;
      std::memcpy(padded, codes + k, static_cast<size_t>(left < kGroupK ? left : kGroupK));
      Bytes bytes, low, high;
      std::memcpy(&bytes, padded, sizeof(Bytes));
      Hooks::expand(bytes, low, high);
      std::memcpy(out + k, &low, 16);
      std::memcpy(out + k + 8, &high, 16);
    }
  }

  static void pack_tile(const CodeRows& source, void* packed) {
    Pair* out = static_cast<Pair*>(packed);
    const int rows = source.rows;
    for (int64_t k = 0; k < source.k; k += kScaleBlockK) {
      const int64_t count = source.k - k < kScaleBlockK ? source.k - k : kScaleBlockK;
      const int64_t pairs = (count + kGroupK - 1) / kGroupK * kGroupPairs;
      for (int r = 0; r < rows; ++r) {
        alignas(64) uint16_t decoded[kScaleBlockK];
        decode_block(source.first + r * source.row_stride + k, count, decoded);
        for (int64_t p = 0; p < pairs; ++p) {
          out[p * rows + r] = Hooks::make_pair(decoded[2 * p], decoded[2 * p + 1]);
        }
      }
      out += pairs * rows;
    }
  }

  // ---- store

  static float widen(uint16_t bits) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, sizeof(value));
    return value;
  }

  // Round to nearest even; NaN stays NaN.
  static uint16_t narrow(float value) {
    uint32_t word;
    std::memcpy(&word, &value, sizeof(word));
    const uint32_t rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    const uint32_t quiet_nan = (word >> 16) | 0x40u;
    return static_cast<uint16_t>((word & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
  }

  static void store_tile(const TileOutput& output) {
    for (int r = 0; r < output.rows; ++r) {
      const float* totals = output.totals + r * kCols;
      if (output.out == OutType::f32) {
        float* d = static_cast<float*>(output.d) + r * output.d_row_stride;
        if (output.accumulate) {
          for (int c = 0; c < output.cols; ++c) d[c] += totals[c];
        } else {
          std::memcpy(d, totals, static_cast<size_t>(output.cols) * sizeof(float));
        }
      } else {
        uint16_t* d = static_cast<uint16_t*>(output.d) + r * output.d_row_stride;
        if (output.accumulate) {
          for (int c = 0; c < output.cols; ++c) d[c] = narrow(widen(d[c]) + totals[c]);
        } else {
          for (int c = 0; c < output.cols; ++c) d[c] = narrow(totals[c]);
        }
      }
    }
  }

  template <int kRows = Hooks::kRows>
  static constexpr void fill_multiply(KernelTable& table) {
    table.multiply[kRows] = &multiply<kRows>;
    if constexpr (kRows > 1) fill_multiply<kRows - 1>(table);
  }

  static constexpr KernelTable table() {
    KernelTable out{};
    out.tile_rows = Hooks::kRows;
    out.panel_cols = kCols;
    out.a_pair_bytes = sizeof(Pair);
    out.pack_tile = &pack_tile;
    out.pack_panel = &pack_panel;
    fill_multiply(out);
    out.store = &store_tile;
    return out;
  }
};

}  // namespace
}  // namespace deepgemm::cpu
