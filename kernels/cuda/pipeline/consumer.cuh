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
  using Store = typename StoreOf<Config>::Type;
  // The next segment's scales are under way while one is stored. With two row blocks there are no
  // registers for that: the main loop would lose more.
  static constexpr bool kReadsAhead = T::kRowBlocks == 1;

 public:
  DEEPGEMM_DEVICE Consumer(const GemmArguments& arguments, SharedStorage<Config>& shared,
                           BlockPlace place)
      : arguments_(arguments), shared_(shared), place_(place) {}

  DEEPGEMM_DEVICE void run() {
    const MathThread me = MathThread::current();
    const WorkShape shape = work_shape(arguments_);
    MainLoop<Config> loop(shared_, me);
    const Store out(arguments_, shared_, me);
    const PartialSums<Config> partials(arguments_, me, place_.rank);
    WorkList work(shape, arguments_.k_blocks, place_.worker);
    Segment segment{};
    bool more = ptx::uniform(work.next(segment)) != 0;
    Corner corner = corner_of<Config>(arguments_, segment.tile, place_.rank);
    // Scales are read, D and the workspace written only after the kernel before has finished.
    ptx::wait_for_previous_kernel();
    BlockScales<Config> blocks(arguments_, corner, me, segment);
    const auto advance = [&] {
      more = ptx::uniform(work.next(segment)) != 0;
      corner = corner_of<Config>(arguments_, segment.tile, place_.rank);
      blocks = BlockScales<Config>(arguments_, corner, me, segment);
    };
    while (more) {
      Sums<Config> sums = {};
      loop.run(segment, corner, blocks, sums);
      const Segment done = segment;
      const Corner at = corner;
      if constexpr (kReadsAhead) advance();
      if (done.owns_tile()) {
        if (!done.is_whole()) {
          const u32 begin = done.tile * done.k_blocks;
          partials.add(shape, shape.worker_of(begin), place_.worker, sums);
        }
        out.store(at, sums);
      } else {
        partials.write(place_.worker, sums);
      }
      if constexpr (!kReadsAhead) advance();
    }
    out.finish();
  }

 private:
  const GemmArguments& arguments_;
  SharedStorage<Config>& shared_;
  BlockPlace place_;
};

}  // namespace deepgemm
