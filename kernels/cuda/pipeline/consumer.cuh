// The math warp groups: every segment of the block's work, from the main loop to the store.
#pragma once

#include "epilogue/direct_store.cuh"
#include "epilogue/partial_sums.cuh"
#include "epilogue/staged_store.cuh"
#include "pipeline/main_loop.cuh"

namespace deepgemm {

template <class Config>
struct StoreOf {
  using Type = DirectStore<Config>;
};

template <class Config>
  requires(Tile<Config>::kStaged)
struct StoreOf<Config> {
  using Type = StagedStore<Config>;
};

template <class Config>
class Consumer {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE Consumer(const GemmArguments& arguments, SharedStorage<Config>& shared,
                           BlockPlace place)
      : arguments_(arguments), shared_(shared), place_(place) {}

  DEEPGEMM_DEVICE void run() {
    const MathThread me = MathThread::current();
    const WorkShape shape = work_shape(arguments_);
    MainLoop<Config> loop(arguments_, shared_, me);
    const typename StoreOf<Config>::Type out(arguments_, shared_, me);
    const PartialSums<Config> partials(arguments_, me, place_.rank);
    WorkList work(shape, arguments_.k_blocks, place_.worker);
    for (Segment segment; ptx::uniform(work.next(segment)) != 0;) {
      const Corner corner = corner_of<Config>(arguments_, segment.tile, place_.rank);
      // Scales are read, D and the workspace written only after the kernel before has finished;
      // from the second segment on it has.
      ptx::wait_for_previous_kernel();
      Sums<Config> sums = {};
      loop.run(segment, corner, sums);
      if (!segment.owns_tile()) {
        partials.write(place_.worker, sums);
        continue;
      }
      if (!segment.is_whole()) {
        const u32 begin = segment.tile * segment.k_blocks;
        partials.add(shape, shape.worker_of(begin), place_.worker, sums);
      }
      out.store(corner, sums);
    }
    out.finish();
  }

 private:
  const GemmArguments& arguments_;
  SharedStorage<Config>& shared_;
  BlockPlace place_;
};

}  // namespace deepgemm
