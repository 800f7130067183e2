// Where the multiplication finds the codes of a panel of B, a group of K at a time.
#pragma once

#include "gemm/kernel/hooks.hpp"
#include "gemm/kernel/pack.hpp"

namespace deepgemm::cpu {
namespace {

// Rows as checkpoints store them.
template <class Hooks>
class RowsSource : Vectors<Hooks> {
  using V = Vectors<Hooks>;
  using typename V::Bytes;
  using Panel = Lines<V::kCols>;
  static constexpr int kGroupsPerLine = Panel::kGroupsPerLine;
  static constexpr int64_t kPrefetchLines = 8;  // between asking for a line and fetching it

 public:
  // Up to this many rows of A decoded weights stay in registers.
  static constexpr int kFewRows = Hooks::kFewRows;

  explicit RowsSource(const CodeRows& b) : panel_(b) { panel_.fetch(0); }

  int64_t groups() const { return panel_.groups(); }

  // Every group takes a quarter of the next line's rows along.
  [[gnu::always_inline]] void advance(int64_t g) {
    const int64_t line = g / kGroupsPerLine + 1;
    const int quarter = static_cast<int>(g % kGroupsPerLine);
    panel_.prefetch(line + kPrefetchLines, quarter);
    panel_.fetch(line, quarter);
  }

  [[gnu::always_inline]] void codes(int64_t g, int vector, Bytes (&codes)[4]) const {
    Pack<Hooks>::transpose_group(panel_.group(g) + vector * V::kLanes * Panel::kLine, codes);
  }

 private:
  Panel panel_;
};

// Panels that prepack() transposed: a group is what transposing would give.
template <class Hooks>
class PanelSource : Vectors<Hooks> {
  using V = Vectors<Hooks>;
  using typename V::Bytes;
  static constexpr int64_t kQuadBytes = kPrepackedRows * 4;  // four of K for all rows of a panel
  static constexpr int64_t kGroupBytes = kPrepackedRows * kGroupK;
  static constexpr int64_t kAhead = 16384;  // bytes between asking for a line and using it

 public:
  static constexpr int kFewRows = Hooks::kFewPanelRows;

  explicit PanelSource(const CodeRows& b)
      : first_(b.first), groups_((b.k + kGroupK - 1) / kGroupK) {}

  int64_t groups() const { return groups_; }

  [[gnu::always_inline]] void advance(int64_t g) const {
    const uint8_t* ahead = first_ + g * kGroupBytes + kAhead;
    for (int64_t quad = 0; quad < kGroupBytes; quad += kQuadBytes) {
      for (int64_t at = 0; at < V::kCols * 4; at += 64) {
        __builtin_prefetch(ahead + quad + at, 0, 2);
      }
    }
  }

  [[gnu::always_inline]] void codes(int64_t g, int vector, Bytes (&codes)[4]) const {
    const uint8_t* from = first_ + g * kGroupBytes + vector * V::kLanes * 4;
    for (int i = 0; i < 4; ++i) std::memcpy(&codes[i], from + i * kQuadBytes, sizeof(Bytes));
  }

 private:
  const uint8_t* first_;
  const int64_t groups_;
};

}  // namespace
}  // namespace deepgemm::cpu
