// The math warp groups of a grouped product: as Consumer, with jobs for segments.
#pragma once

#include "epilogue/group_store.cuh"
#include "epilogue/partial_sums.cuh"
#include "pipeline/main_loop.cuh"

namespace deepgemm {

template <class Config>
class GroupConsumer {
  using T = Tile<Config>;
  // Slices of K differ in length, and their tiles are not shared along K.
  static constexpr bool kWhole = T::kLayout == Layout::kKGrouped;

 public:
  DEEPGEMM_DEVICE GroupConsumer(const GemmArguments& arguments, SharedStorage<Config>& shared,
                                BlockPlace place)
      : arguments_(arguments), shared_(shared), place_(place) {}

  DEEPGEMM_DEVICE void run() {
    ptx::wait_for_previous_kernel();
    const MathThread me = MathThread::current();
    MainLoop<Config> loop(shared_, me);
    const GroupStore<Config> out(arguments_, shared_, me);
    const PartialSums<Config> partials(arguments_, me, place_.rank);
    JobReader jobs(shared_.jobs);
    while (true) {
      const GroupJob& job = jobs.take();
      if (job.flags & GroupJob::kEnd) break;
      const Segment segment = {job.tile, job.k_begin, job.k_end, job.k_blocks};
      Sums<Config> sums = {};
      const GroupCorner corner = {job.left,     job.right,  job.group,
                                  job.work_end, job.k_size, job.k_first % kColumnGrain};
      BlockScales<Config> blocks(arguments_, corner, me, segment);
      loop.run(segment, corner, blocks, sums);
      if (kWhole || segment.owns_tile()) {
        if (!kWhole && !segment.is_whole()) add_others(job, segment, partials, sums);
        out.store(job, sums);
      } else {
        partials.write(place_.worker, sums);
      }
      // The job is read until here, from where it lies: registers are scarce in the loop.
      __syncwarp();
      if (me.lane == 0) jobs.release();
      jobs.advance();
    }
    out.finish();
  }

 private:
  DEEPGEMM_DEVICE void add_others(const GroupJob& job, const Segment& segment,
                                  const PartialSums<Config>& partials, Sums<Config>& sums) const {
    const WorkShape shape =
        WorkShape::of(job.streamed, job.k_blocks, arguments_.workers, job.streamed);
    const u32 begin = segment.tile * segment.k_blocks;
    partials.add(shape, shape.worker_of(begin), place_.worker, sums);
  }

  const GemmArguments& arguments_;
  SharedStorage<Config>& shared_;
  BlockPlace place_;
};

}  // namespace deepgemm
