#include "deepgemm/cpu/gemm.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "gemm/scratch.hpp"
#include "gemm/slab.hpp"

namespace deepgemm::cpu {
namespace {

constexpr size_t kBatchBytes = size_t{32} << 20;  // packed A in flight, unless one slab is larger
constexpr size_t kKeptBytes = size_t{16} << 20;   // packed A memory that a thread keeps

bool has_work(const GemmTask& task) {
  return task.m > 0 && task.n > 0 && !(task.k == 0 && task.accumulate);
}

// Slabs whose packed rows are in memory together.
struct Batch {
  std::vector<Slab> slabs;
  int64_t units = 0;
  int64_t packings = 0;
  size_t bytes = 0;
  double seconds = 0;  // of multiplication, on one fast thread

  void add(const KernelTable& kernels, const GemmTask& task, int64_t first_row, int64_t rows,
           int threads) {
    const int64_t panels = divide_up(task.n, kernels.panel_cols);
    const bool stream = streams(task);
    const Blocking blocking = stream ? stream_blocking(kernels, panels, task.k, threads)
                                     : choose_blocking(kernels, rows, panels, task.k, threads);
    Slab slab{.task = &task,
              .first_row = first_row,
              .stream = stream,
              .tiles = TileSplit(rows, stream ? kMaxStreamRows : kernels.tile_rows),
              .blocking = blocking,
              .panels = panels,
              .units = divide_up(panels, blocking.unit_panels),
              .first_unit = units,
              .first_packing = packings,
              .packed_offset = bytes,
              .scales_offset = 0};
    bytes += static_cast<size_t>(round_up(rows * slab.pairs() * kernels.a_pair_bytes, 64));
    slab.scales_offset = bytes;
    bytes += static_cast<size_t>(round_up(rows * slab.blocks() * 4, 64));
    units += slab.units;
    packings += slab.tiles.tiles * divide_up(task.k, kPackingK);
    const double weights = static_cast<double>(task.n) * static_cast<double>(task.k);
    seconds += weights / 30e9 + 2 * static_cast<double>(rows) * weights / 200e9;
    slabs.push_back(slab);
  }

  void clear() { *this = Batch{}; }
};

// The last slab whose `first` is not beyond `index`.
const Slab& slab_of(const std::vector<Slab>& slabs, int64_t Slab::*first, int64_t index) {
  const auto after =
      std::upper_bound(slabs.begin(), slabs.end(), index,
                       [&](int64_t wanted, const Slab& slab) { return wanted < slab.*first; });
  return *(after - 1);
}

std::chrono::nanoseconds nanoseconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

void run(Pool& pool, const KernelTable& kernels, const Batch& batch) {
  if (batch.units == 0) return;
  thread_local Scratch scratch;
  std::byte* memory = scratch.get<std::byte>(batch.bytes);
  const auto pack = [&](int64_t index) {
    const Slab& slab = slab_of(batch.slabs, &Slab::first_packing, index);
    const int64_t chunks = divide_up(slab.task->k, kPackingK);
    const int64_t local = index - slab.first_packing;
    pack_a(kernels, slab, local / chunks, local % chunks, memory);
  };
  pool.parallel_for(batch.packings, pack, nanoseconds(static_cast<double>(batch.bytes) / 4e9));
  const auto multiply = [&](int64_t index) {
    const Slab& slab = slab_of(batch.slabs, &Slab::first_unit, index);
    run_unit(kernels, slab, index - slab.first_unit, memory);
  };
  pool.parallel_for(batch.units, multiply, nanoseconds(batch.seconds));
  scratch.trim(kKeptBytes);
}

}  // namespace

void gemm(Pool& pool, Isa isa, std::span<const GemmTask> tasks) {
  const KernelTable& kernels = kernels_for(isa);
  Batch batch;
  for (const GemmTask& task : tasks) {
    if (!has_work(task)) continue;
    const int64_t slab = slab_rows(kernels, task.m, task.k);
    for (int64_t row = 0; row < task.m; row += slab) {
      const int64_t rows = std::min(slab, task.m - row);
      batch.add(kernels, task, row, rows, pool.threads());
      if (batch.bytes < kBatchBytes) continue;
      run(pool, kernels, batch);
      batch.clear();
    }
  }
  run(pool, kernels, batch);
}

}  // namespace deepgemm::cpu
