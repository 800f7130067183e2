// The warp that finds the block's jobs, by layout.
#pragma once

#include "pipeline/storage.cuh"
#include "ptx/control.cuh"
#include "scheduler/aligned_tiles.cuh"
#include "scheduler/group_work.cuh"
#include "scheduler/k_group_tiles.cuh"
#include "scheduler/row_tiles.cuh"

namespace deepgemm {

template <Layout kLayout, class Config>
struct TilesOf {
  using Type = RowTiles<Config>;
};

template <class Config>
struct TilesOf<Layout::kContiguous, Config> {
  using Type = AlignedTiles<Config>;
};

template <class Config>
struct TilesOf<Layout::kKGrouped, Config> {
  using Type = KGroupTiles<Config>;
};

// All lanes of one warp.
template <class Config>
DEEPGEMM_DEVICE void find_jobs(const GemmArguments& arguments, SharedStorage<Config>& shared,
                               BlockPlace place) {
  if (arguments.weights_ready == 0) {
    // Group data may come from the kernel before; else it comes from far away.
    const u32 first = threadIdx.x % kWarpThreads * kLine / sizeof(int);
    if (first < arguments.groups) ptx::prefetch_l2(arguments.group_data + first);
    ptx::wait_for_previous_kernel();
  }
  JobWriter writer(shared.jobs);
  typename TilesOf<Tile<Config>::kLayout, Config>::Type tiles(arguments, place);
  const u32 count = tiles.count();
  const u32 k_blocks = ceil_div(arguments.k, static_cast<u32>(kScaleBlock));
  const u32 streamed =
      streamed_of(static_cast<Streaming>(arguments.streamed_tiles), count, arguments.workers);
  const WorkShape shape = WorkShape::of(count, k_blocks, arguments.workers, streamed);
  GroupWork work(shape, place.worker);
  const bool first_lane = threadIdx.x % kWarpThreads == 0;
  GroupJob job = {};
  for (Segment segment; work.next(shape, place.worker, segment);) {
    job.k_begin = segment.k_begin;
    job.k_end = segment.k_end;
    job.k_blocks = segment.k_blocks;
    job.tile = segment.tile;
    job.streamed = streamed;
    tiles.put(segment, job, writer);
  }
  job.flags = GroupJob::kEnd;
  writer.put(job, first_lane);
}

}  // namespace deepgemm
