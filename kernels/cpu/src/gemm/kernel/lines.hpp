// The rows of a panel or tile, one cache line of each at a time.
#pragma once

#include "gemm/kernel/hooks.hpp"

namespace deepgemm::cpu {
namespace {

// Transposing visits a line of every row four times. Rows whose distance is a large power of two
// share few sets of the first-level cache and would evict one another in between, so that each line
// is copied to a small buffer on its only visit. Two lines deep: one in use, one being filled.
template <int kCount>
class Lines {
 public:
  static constexpr int64_t kLine = 64;
  static constexpr int kGroupsPerLine = kLine / kGroupK;
  static constexpr int kQuarter = (kCount + 3) / 4;

  // The last row stands in for those beyond it.
  explicit Lines(const CodeRows& source) : k_(source.k), following_(source.row_stride * kCount) {
    for (int r = 0; r < 4 * kQuarter; ++r) {
      rows_[r] = source.first + (r < source.rows ? r : source.rows - 1) * source.row_stride;
    }
    // Left to itself, GCC keeps the pointers in vector registers, where they are of no use.
    __asm__ volatile("" : "+m"(rows_));
  }

  int64_t groups() const { return (k_ + kGroupK - 1) / kGroupK; }

  // Fills a line of all rows, padding with zeros beyond the end of K.
  void fetch(int64_t line) {
    for (int quarter = 0; quarter < 4; ++quarter) fetch(line, quarter);
  }

  [[gnu::always_inline]] void fetch(int64_t line, int quarter) {
    const int64_t at = line * kLine;
    uint8_t(*to)[kLine] = buffer_[line & 1] + quarter * kQuarter;
    const uint8_t* const* from = rows_ + quarter * kQuarter;
    if (at + kLine <= k_) {
      for (int r = 0; r < kQuarter; ++r) std::memcpy(to[r], from[r] + at, kLine);
    } else if (at < k_) {
      fetch_tail(from, at, to);
    }
  }

  // Asks for a line of a quarter of the rows, to be fetched later. Lines beyond K are those of the
  // rows that follow this panel, which are usually next; asking in vain is harmless.
  [[gnu::always_inline]] void prefetch(int64_t line, int quarter) const {
    const uint8_t* const* from = rows_ + quarter * kQuarter;
    const int64_t at = line * kLine;
    const int64_t offset = at < k_ ? at : at - k_ + following_;
    for (int r = 0; r < kQuarter; ++r) __builtin_prefetch(from[r] + offset, 0, 2);
  }

  // First row of a fetched group; rows follow at a distance of kLine.
  const uint8_t* group(int64_t g) const {
    return buffer_[(g / kGroupsPerLine) & 1][0] + g % kGroupsPerLine * kGroupK;
  }

 private:
  [[gnu::noinline]] void fetch_tail(const uint8_t* const* from, int64_t at, uint8_t (*to)[kLine]) {
    for (int r = 0; r < kQuarter; ++r) {
      std::memset(to[r], 0, kLine);
      std::memcpy(to[r], from[r] + at, static_cast<size_t>(k_ - at));
    }
  }

  alignas(64) uint8_t buffer_[2][4 * kQuarter][kLine];
  const uint8_t* rows_[4 * kQuarter];
  const int64_t k_;
  const int64_t following_;  // from a row to the one that takes its place in the next panel
};

}  // namespace
}  // namespace deepgemm::cpu
