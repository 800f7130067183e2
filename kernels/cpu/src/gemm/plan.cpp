#include "gemm/plan.hpp"

#include <algorithm>

namespace deepgemm::cpu {
namespace {

constexpr int64_t kSlabBytes = int64_t{8} << 20;
constexpr int64_t kManyRows = 128;  // from here on packed panels are worth keeping in the L2 cache

}  // namespace

int64_t slab_rows(const KernelTable& kernels, int64_t m, int64_t k) {
  const int64_t row_bytes = std::max<int64_t>(padded_pairs(k) * kernels.a_pair_bytes, 1);
  const int64_t tile = kernels.tile_rows;
  const int64_t most = std::max(kSlabBytes / row_bytes / tile, int64_t{1}) * tile;
  return divide_up(m, divide_up(m, most));
}

Blocking choose_blocking(int64_t rows, int64_t panels, int64_t k, int threads) {
  const bool many_rows = rows >= kManyRows;
  const int64_t most_panels = many_rows ? 8 : 1;
  // Enough units for the threads to finish together.
  const int64_t wanted_units = threads > 1 ? 4 * static_cast<int64_t>(threads) : 1;
  const int64_t unit_panels = std::clamp<int64_t>(panels / wanted_units, 1, most_panels);
  const int64_t chunk_k = many_rows ? 1024 : 512;
  return {unit_panels, std::min(chunk_k, round_up(k, kScaleBlockK))};
}

}  // namespace deepgemm::cpu
