// Few rows of A times weights that are read row by row: lanes run along K, so that nothing is
// transposed and memory is read in the order of its addresses, which is what the processor's own
// prefetching is good at.
//
// A step is one vector of codes. Packed A is [step][row][half][part]: vectors of `Weight`, in the
// order in which the codes of B expand.
#pragma once

#include "gemm/kernel/hooks.hpp"

namespace deepgemm::cpu {
namespace {

template <class Hooks>
struct Stream : Vectors<Hooks> {
  using V = Vectors<Hooks>;
  using typename V::Bytes;
  using typename V::F;
  using typename V::Weight;
  using V::kCols, V::kLanes;
  static constexpr int kParts = Hooks::kParts;
  static constexpr int64_t kStep = 4 * kLanes;  // codes of a vector
  static constexpr int kVectorsPerStep = 2 * kParts;
  static constexpr int64_t kStepsPerBlock = kScaleBlockK / kStep;
  static constexpr int64_t kAhead = 2048;  // bytes between asking for a line and using it
  static_assert(sizeof(Bytes) == kStep);

  // Rows of B at a time. They share the loads of A, and memory is fastest when several rows are
  // read at once.
  template <int kRows>
  static constexpr int kStrip = kRows <= 2 ? Hooks::kStreamStrip : Hooks::kStreamStrip / 2;

  static Bytes load_codes(const uint8_t* from) {
    Bytes codes;
    std::memcpy(&codes, from, sizeof(Bytes));
    return codes;
  }

  // The last codes of a row, zeros behind them.
  [[gnu::noinline]] static void load_tail(const uint8_t* from, int64_t count, Bytes& codes) {
    alignas(64) uint8_t padded[sizeof(Bytes)] = {};
    std::memcpy(padded, from, static_cast<size_t>(count));
    codes = load_codes(padded);
  }

  static void pack(const CodeRows& source, void* packed) {
    Weight* out = static_cast<Weight*>(packed);
    for (int64_t k = 0; k < source.k; k += kStep) {
      for (int r = 0; r < source.rows; ++r, out += kVectorsPerStep) {
        const uint8_t* from = source.first + r * source.row_stride + k;
        Bytes codes;
        if (source.k - k >= kStep) {
          codes = load_codes(from);
        } else {
          load_tail(from, source.k - k, codes);
        }
        Bytes half[2];
        Hooks::expand(codes, half[0], half[1]);
        for (int h = 0; h < 2; ++h) {
          store_weight<0>(half[h], out + h * kParts);
          if constexpr (kParts == 2) store_weight<1>(half[h], out + h * kParts + 1);
        }
      }
    }
  }

  template <int kPart>
  static void store_weight(Bytes half, Weight* to) {
    const Weight weight = Hooks::template weight<kPart>(half);
    std::memcpy(to, &weight, sizeof(Weight));
  }

  // One row of B: a barrier behind each keeps the compiler from decoding all rows at once, for
  // which there are too few registers.
  template <int kRows>
  [[gnu::always_inline]] static void step(Bytes codes, const Weight* a, F (&acc)[kRows]) {
    Bytes half[2];
    Hooks::expand(codes, half[0], half[1]);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      part<kRows, 0>(half[h], a + h * kParts, acc);
      if constexpr (kParts == 2) part<kRows, 1>(half[h], a + h * kParts + 1, acc);
    }
    __asm__ volatile("" ::: "memory");
  }

  template <int kRows, int kPart>
  [[gnu::always_inline]] static void part(Bytes half, const Weight* a, F (&acc)[kRows]) {
    const Weight weight = Hooks::template weight<kPart>(half);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      Weight row;
      std::memcpy(&row, a + r * kVectorsPerStep, sizeof(Weight));
      acc[r] = Hooks::dot_vectors(acc[r], weight, row);
    }
  }

  // Adds up the lanes by halves, the same way everywhere.
  static float sum(float (&values)[kLanes]) {
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) values[i] += values[i + half];
    }
    return values[0];
  }

  // Rows [col, col + kStrips) of B.
  template <int kRows, int kStrips>
  static void strip(const StreamProduct& product, int col) {
    const CodeRows& b = product.b;
    const uint8_t* row = b.first + col * b.row_stride;
    const Weight* a = static_cast<const Weight*>(product.a);
    const float* a_scales = product.a_scales;
    const float* b_scales = product.b_scales + col;
    alignas(64) float totals[kStrips][kRows][kLanes] = {};
    // Beyond the row's end are the rows of the next strip.
    const int64_t beyond = kStrips * b.row_stride - b.k;
    for (int64_t k = 0; k < b.k; a_scales += kRows, b_scales += kCols) {
      F acc[kStrips][kRows] = {};
      const int64_t end = k + kScaleBlockK < b.k ? k + kScaleBlockK : b.k;
      for (; k + kStep <= end; k += kStep, a += kRows * kVectorsPerStep) {
        const int64_t ahead = k + kAhead < b.k ? k + kAhead : k + kAhead + beyond;
#pragma GCC unroll 8
        for (int s = 0; s < kStrips; ++s) {
          if (kStep == 64 || k % 64 == 0) __builtin_prefetch(row + s * b.row_stride + ahead, 0, 2);
          step<kRows>(load_codes(row + s * b.row_stride + k), a, acc[s]);
        }
      }
      if (k < end) {
#pragma GCC unroll 8
        for (int s = 0; s < kStrips; ++s) {
          Bytes codes;
          load_tail(row + s * b.row_stride + k, end - k, codes);
          step<kRows>(codes, a, acc[s]);
        }
        k = end;
      }
#pragma GCC unroll 8
      for (int s = 0; s < kStrips; ++s)
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          const F scale = a_scales[r] * b_scales[s] - F{};
          V::store(totals[s][r], Hooks::fma(acc[s][r], scale, V::load(totals[s][r])));
        }
    }
    for (int s = 0; s < kStrips; ++s) {
      for (int r = 0; r < kRows; ++r) product.totals[r * kCols + col + s] = sum(totals[s][r]);
    }
  }

  template <int kRows>
  static void multiply(const StreamProduct& product) {
    int col = 0;
    for (; col + kStrip<kRows> <= product.b.rows; col += kStrip<kRows>) {
      strip<kRows, kStrip<kRows>>(product, col);
    }
    for (; col < product.b.rows; ++col) strip<kRows, 1>(product, col);
  }
};

}  // namespace
}  // namespace deepgemm::cpu
