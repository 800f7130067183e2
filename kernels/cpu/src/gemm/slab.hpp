// A slab: some rows of one task, with A packed, ready to be multiplied with every panel of B.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gemm/kernel_table.hpp"
#include "gemm/plan.hpp"

namespace deepgemm::cpu {

struct Slab {
  const GemmTask* task;
  int64_t first_row;
  bool stream;  // few rows over plain weights: one tile in the streams' format
  TileSplit tiles;
  Blocking blocking;
  int64_t panels;
  int64_t units;
  int64_t first_unit;     // of this slab among all units of its batch
  int64_t first_packing;  // of this slab among all packing jobs of its batch
  size_t packed_offset;   // bytes into the batch's packed memory
  size_t scales_offset;

  int64_t blocks() const { return divide_up(task->k, kScaleBlockK); }
  int64_t pairs() const { return stream ? round_up(task->k, kStreamK) / 2 : padded_pairs(task->k); }
};

// Packs one tile's part of K: chunk `chunk` of kPackingK elements.
inline constexpr int64_t kPackingK = 2048;
void pack_a(const KernelTable& kernels, const Slab& slab, int64_t tile, int64_t chunk,
            std::byte* memory);

// Multiplies the slab with the panels of one unit and writes their columns of D.
void run_unit(const KernelTable& kernels, const Slab& slab, int64_t unit, const std::byte* memory);

}  // namespace deepgemm::cpu
