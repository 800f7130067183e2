#include "gemm/slab.hpp"

#include <algorithm>

#include "gemm/copy_scales.hpp"
#include "gemm/scratch.hpp"

namespace deepgemm::cpu {
namespace {

// Tiles of different sizes stand back to back: tile t starts at its first row's share.
const std::byte* packed_tile(const KernelTable& kernels, const Slab& slab, int64_t tile,
                             int64_t first_pair, const std::byte* memory) {
  const int64_t pairs_before = slab.tiles.begin(tile) * slab.pairs() +
                               first_pair * static_cast<int64_t>(slab.tiles.size(tile));
  return memory + slab.packed_offset + static_cast<size_t>(pairs_before * kernels.a_pair_bytes);
}

const float* packed_scales(const Slab& slab, int64_t tile, int64_t block, const std::byte* memory) {
  const float* scales = reinterpret_cast<const float*>(memory + slab.scales_offset);
  return scales + slab.tiles.begin(tile) * slab.blocks() + block * slab.tiles.size(tile);
}

// One unit of work in progress: some panels of B against all tiles of the slab, chunk by chunk of
// K. When K is one chunk, as it nearly always is, a tile's totals go to D while they are still in
// the first-level cache and their memory serves the next tile.
class Unit {
 public:
  Unit(const KernelTable& kernels, const Slab& slab, int64_t unit, const std::byte* memory)
      : kernels_(kernels),
        slab_(slab),
        task_(*slab.task),
        memory_(memory),
        first_panel_(unit * slab.blocking.unit_panels),
        panels_(std::min(slab.blocking.unit_panels, slab.panels - first_panel_)),
        chunk_pairs_(padded_pairs(std::min(slab.blocking.chunk_k, task_.k))),
        chunk_blocks_(divide_up(slab.blocking.chunk_k, kScaleBlockK)),
        one_chunk_(task_.k <= slab.blocking.chunk_k) {
    const int64_t cols = kernels.panel_cols;
    const int64_t total_rows = one_chunk_ ? kernels.tile_rows : panels_ * slab.tiles.rows;
    const int64_t packed_panels = slab.tiles.tiles > 1 ? panels_ : 0;
    const int64_t panel_words = packed_panels * chunk_pairs_ * cols;
    const int64_t scale_words = panels_ * chunk_blocks_ * cols;
    thread_local Scratch scratch;
    panel_memory_ = scratch.get<uint32_t>(
        static_cast<size_t>(panel_words + scale_words + total_rows * cols) * 4);
    scale_memory_ = reinterpret_cast<float*>(panel_memory_ + panel_words);
    totals_ = scale_memory_ + scale_words;
  }

  void run() {
    if (task_.k == 0) return store_zeros();
    if (slab_.stream) {
      for (int64_t panel = 0; panel < panels_; ++panel) stream(panel);
      return;
    }
    for (int64_t k = 0; k < task_.k; k += slab_.blocking.chunk_k) {
      const int64_t count = std::min(slab_.blocking.chunk_k, task_.k - k);
      for (int64_t panel = 0; panel < panels_; ++panel) {
        load_scales(panel, k, count);
        multiply_first_tile(panel, k, count);
      }
      for (int64_t tile = 1; tile < slab_.tiles.tiles; ++tile) {
        for (int64_t panel = 0; panel < panels_; ++panel) multiply(tile, panel, k, count);
      }
    }
  }

 private:
  int64_t first_col(int64_t panel) const { return (first_panel_ + panel) * kernels_.panel_cols; }
  int cols(int64_t panel) const {
    return static_cast<int>(std::min<int64_t>(kernels_.panel_cols, task_.n - first_col(panel)));
  }
  uint32_t* packed_panel(int64_t panel) const {
    return panel_memory_ + panel * chunk_pairs_ * kernels_.panel_cols;
  }
  float* panel_scales(int64_t panel) const {
    return scale_memory_ + panel * chunk_blocks_ * kernels_.panel_cols;
  }
  float* totals(int64_t tile, int64_t panel) const {
    if (one_chunk_) return totals_;
    const int64_t rows_before = slab_.tiles.begin(tile) * panels_ + panel * slab_.tiles.size(tile);
    return totals_ + rows_before * kernels_.panel_cols;
  }

  void load_scales(int64_t panel, int64_t k, int64_t count) {
    copy_scales(task_.b, first_col(panel), cols(panel), kernels_.panel_cols, k / kScaleBlockK,
                divide_up(k + count, kScaleBlockK), panel_scales(panel));
  }

  // A panel's codes from `k` on.
  CodeRows codes(int64_t panel, int64_t k, int64_t count) const {
    const Operand& b = task_.b;
    const int64_t col = first_col(panel);
    if (!b.prepacked) return {b.values + col * b.row_stride + k, b.row_stride, cols(panel), count};
    const int64_t wide = col / kPrepackedRows * kPrepackedRows;
    const uint8_t* first =
        b.values + wide * round_up(task_.k, kPrepackedK) + k * kPrepackedRows + (col - wide) * 4;
    return {first, 0, cols(panel), count};
  }

  // Takes B as it is, and packs it on the way if there are further tiles.
  void multiply_first_tile(int64_t panel, int64_t k, int64_t count) {
    const bool only = slab_.tiles.tiles == 1;
    const CodesKernels& kernels = task_.b.prepacked ? kernels_.of_panels : kernels_.of_rows;
    const int rows = slab_.tiles.size(0);
    const auto multiply_codes = only ? kernels.multiply[rows] : kernels.multiply_and_pack[rows];
    multiply_codes({.rows = rows,
                    .a = packed_tile(kernels_, slab_, 0, k / 2, memory_),
                    .a_scales = packed_scales(slab_, 0, k / kScaleBlockK, memory_),
                    .b = codes(panel, k, count),
                    .b_scales = panel_scales(panel),
                    .packed = only ? nullptr : packed_panel(panel),
                    .totals = totals(0, panel),
                    .first = k == 0});
    if (k + count == task_.k) store(0, panel);
  }

  void stream(int64_t panel) {
    load_scales(panel, 0, task_.k);
    kernels_.stream.multiply[slab_.tiles.size(0)]({.a = packed_tile(kernels_, slab_, 0, 0, memory_),
                                                   .a_scales = packed_scales(slab_, 0, 0, memory_),
                                                   .b = codes(panel, 0, task_.k),
                                                   .b_scales = panel_scales(panel),
                                                   .totals = totals(0, panel)});
    store(0, panel);
  }

  void multiply(int64_t tile, int64_t panel, int64_t k, int64_t count) {
    kernels_.multiply[slab_.tiles.size(tile)](
        {.rows = slab_.tiles.size(tile),
         .a = packed_tile(kernels_, slab_, tile, k / 2, memory_),
         .a_scales = packed_scales(slab_, tile, k / kScaleBlockK, memory_),
         .b = packed_panel(panel),
         .b_scales = panel_scales(panel),
         .pairs = padded_pairs(count),
         .totals = totals(tile, panel),
         .first = k == 0});
    if (k + count == task_.k) store(tile, panel);
  }

  void store(int64_t tile, int64_t panel) {
    const size_t element = task_.out == OutType::f32 ? 4 : 2;
    const int64_t row = slab_.first_row + slab_.tiles.begin(tile);
    const size_t offset =
        static_cast<size_t>(row * task_.d_row_stride + first_col(panel)) * element;
    kernels_.store({.totals = totals(tile, panel),
                    .rows = slab_.tiles.size(tile),
                    .cols = cols(panel),
                    .d = static_cast<std::byte*>(task_.d) + offset,
                    .d_row_stride = task_.d_row_stride,
                    .out = task_.out,
                    .accumulate = task_.accumulate});
  }

  void store_zeros() {
    std::fill_n(totals_, kernels_.tile_rows * kernels_.panel_cols, 0.0f);
    for (int64_t tile = 0; tile < slab_.tiles.tiles; ++tile) {
      for (int64_t panel = 0; panel < panels_; ++panel) store(tile, panel);
    }
  }

  const KernelTable& kernels_;
  const Slab& slab_;
  const GemmTask& task_;
  const std::byte* memory_;
  const int64_t first_panel_;
  const int64_t panels_;
  const int64_t chunk_pairs_;  // of a full chunk
  const int64_t chunk_blocks_;
  const bool one_chunk_;
  uint32_t* panel_memory_;
  float* scale_memory_;
  float* totals_;
};

}  // namespace

void pack_a(const KernelTable& kernels, const Slab& slab, int64_t tile, int64_t chunk,
            std::byte* memory) {
  const Operand& a = slab.task->a;
  const int64_t row = slab.first_row + slab.tiles.begin(tile);
  const int64_t k = chunk * kPackingK;
  const int64_t count = std::min(kPackingK, slab.task->k - k);
  const int rows = slab.tiles.size(tile);
  const auto pack = slab.stream ? kernels.stream.pack : kernels.pack_tile;
  pack({a.values + row * a.row_stride + k, a.row_stride, rows, count},
       const_cast<std::byte*>(packed_tile(kernels, slab, tile, k / 2, memory)));
  const int64_t block = k / kScaleBlockK;
  copy_scales(a, row, rows, rows, block, divide_up(k + count, kScaleBlockK),
              const_cast<float*>(packed_scales(slab, tile, block, memory)));
}

void run_unit(const KernelTable& kernels, const Slab& slab, int64_t unit, const std::byte* memory) {
  Unit(kernels, slab, unit, memory).run();
}

}  // namespace deepgemm::cpu
