#include "gemm/plan.hpp"

#include <algorithm>

namespace deepgemm::cpu {
namespace {

constexpr int64_t kSlabBytes = int64_t{8} << 20;
// Packing a panel costs little beside this many rows, and threads need slabs to share.
constexpr int64_t kMostSlabRows = 1024;
constexpr int64_t kManyRows = 128;  // from here on several packed panels share one pass over A
constexpr int64_t kPanelBytes = int64_t{3} << 19;  // packed panels of a unit: about the L2 cache
constexpr int64_t kMostPanels = 8;
// Each chunk of K costs a tile one visit of its totals, and each panel of a chunk costs cache.
constexpr int64_t kManyRowsChunkK = 4096;
constexpr int64_t kFewRowsChunkK = 8192;
constexpr int64_t kStreamUnitBytes = 256 << 10;  // weights of a unit: long enough to hide its start

}  // namespace

int64_t slab_rows(const KernelTable& kernels, int64_t m, int64_t k) {
  const int64_t row_bytes = std::max<int64_t>(padded_pairs(k) * kernels.a_pair_bytes, 1);
  const int64_t tile = kernels.tile_rows;
  const int64_t fitting = std::min(kSlabBytes / row_bytes, kMostSlabRows);
  const int64_t most = std::max(fitting / tile, int64_t{1}) * tile;
  return divide_up(m, divide_up(m, most));
}

Blocking choose_blocking(const KernelTable& kernels, int64_t rows, int64_t panels, int64_t k,
                         int threads) {
  const bool many_rows = rows >= kManyRows;
  const int64_t chunks = divide_up(k, many_rows ? kManyRowsChunkK : kFewRowsChunkK);
  const int64_t chunk_k = round_up(divide_up(k, std::max<int64_t>(chunks, 1)), kScaleBlockK);
  const int64_t panel_bytes = std::max<int64_t>(padded_pairs(chunk_k) * kernels.panel_cols * 4, 1);
  const int64_t most_panels = many_rows ? std::min(kPanelBytes / panel_bytes, kMostPanels) : 1;
  // Enough units for the threads to finish together.
  const int64_t wanted_units = threads > 1 ? 4 * static_cast<int64_t>(threads) : 1;
  const int64_t unit_panels = std::min(most_panels, panels / wanted_units);
  return {std::max<int64_t>(unit_panels, 1), std::max(chunk_k, kScaleBlockK)};
}

bool streams(const GemmTask& task) { return task.m <= kFewRows && !task.b.prepacked; }

Blocking stream_blocking(const KernelTable& kernels, int64_t panels, int64_t k, int threads) {
  const int64_t panel_bytes = std::max<int64_t>(k * kernels.panel_cols, 1);
  const int64_t most_panels = std::max<int64_t>(kStreamUnitBytes / panel_bytes, 1);
  const int64_t wanted_units = threads > 1 ? 4 * static_cast<int64_t>(threads) : 1;
  const int64_t unit_panels = std::min(most_panels, panels / wanted_units);
  return {std::max<int64_t>(unit_panels, 1), std::max(round_up(k, kScaleBlockK), kScaleBlockK)};
}

}  // namespace deepgemm::cpu
