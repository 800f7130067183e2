// How a call is cut into work: pure arithmetic over shapes, no memory touched.
#pragma once

#include <cstdint>

#include "gemm/kernel_table.hpp"

namespace deepgemm::cpu {

constexpr int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }
constexpr int64_t round_up(int64_t value, int64_t to) { return divide_up(value, to) * to; }
constexpr int64_t padded_pairs(int64_t k) { return round_up(k, kGroupK) / 2; }

// Rows in tiles of at most `limit`, as equal as can be: no tile of one row at the end.
struct TileSplit {
  int64_t rows;
  int64_t tiles;

  TileSplit(int64_t rows_, int limit) : rows(rows_), tiles(divide_up(rows_, limit)) {}
  int64_t begin(int64_t tile) const { return rows * tile / tiles; }
  int size(int64_t tile) const { return static_cast<int>(begin(tile + 1) - begin(tile)); }
};

// The loop nest over one slab of rows of A. None of this changes the bits of D: every element adds
// its blocks of K in ascending order whatever the blocking.
struct Blocking {
  int64_t unit_panels;  // panels of B that one unit of work packs and multiplies
  int64_t chunk_k;      // K per packed panel chunk, a multiple of the scale block
};

// Rows of A per slab: a packed slab should stay in the shared cache.
int64_t slab_rows(const KernelTable& kernels, int64_t m, int64_t k);

Blocking choose_blocking(const KernelTable& kernels, int64_t rows, int64_t panels, int64_t k,
                         int threads);

// Whether a task's rows stream over its weights, in one tile and one chunk of K.
bool streams(const GemmTask& task);
Blocking stream_blocking(const KernelTable& kernels, int64_t panels, int64_t k, int threads);

}  // namespace deepgemm::cpu
