// FP8 GEMM for Hopper, dense and grouped: persistent blocks of one producer warp group and one to
// three math warp groups, which meet in a ring of shared-memory stages.
#pragma once

#include "pipeline/consumer.cuh"
#include "pipeline/group_consumer.cuh"
#include "pipeline/job_finder.cuh"
#include "pipeline/producer.cuh"

namespace deepgemm {

// Registers per thread after they are handed out. Where several blocks share a multiprocessor, or
// there is one math warp group, every thread keeps its equal share.
template <class Config>
struct RegisterBudget {
  static constexpr int kMathGroups = Tile<Config>::kMathGroups;
  static constexpr int kMath = kMathGroups == 2 ? 232 : 160;
  static constexpr int kProducer = kMathGroups == 2 ? 40 : 32;
  static constexpr bool kHandOut = kMathGroups > 1 && Config::kBlocksPerSm == 1;
};

template <class Config>
DEEPGEMM_DEVICE void init_barriers(SharedStorage<Config>& shared) {
  using T = Tile<Config>;
  for (int i = 0; i < Config::kStages; ++i) {
    ptx::barrier_init(&shared.full[i], 1);
    ptx::barrier_init(&shared.empty[i], T::kMathWarps * T::kCluster);
  }
  if constexpr (T::kGrouped) {
    for (int i = 0; i < kJobSlots; ++i) {
      ptx::barrier_init(&shared.jobs.full[i], 1);
      ptx::barrier_init(&shared.jobs.empty[i], T::kMathWarps + 1);
    }
  }
  ptx::fence_barrier_init();
}

template <class Config>
DEEPGEMM_DEVICE void prefetch_maps(const GemmArguments& arguments) {
  using T = Tile<Config>;
  ptx::prefetch_tensor_map(&arguments.left);
  ptx::prefetch_tensor_map(&arguments.right);
  if constexpr (T::kLeftVectors) ptx::prefetch_tensor_map(&arguments.left_scales);
  if constexpr (T::kRightVectors) ptx::prefetch_tensor_map(&arguments.right_scales);
  if constexpr (T::kStaged) ptx::prefetch_tensor_map(&arguments.out);
}

// All threads of the block, or of the cluster.
template <class Config>
DEEPGEMM_DEVICE void sync_all() {
  if constexpr (Tile<Config>::kCluster > 1) {
    __syncwarp();
    ptx::sync_cluster();
  } else {
    __syncthreads();
  }
}

// The producer's warp group. One warp finds the first tile while another makes the barriers.
template <class Config>
DEEPGEMM_DEVICE void produce(const GemmArguments& arguments, SharedStorage<Config>& shared,
                             BlockPlace place) {
  using T = Tile<Config>;
  using Budget = RegisterBudget<Config>;
  const u32 thread = threadIdx.x - T::kMathThreads;
  if (thread == kWarpThreads) {
    init_barriers(shared);
    prefetch_maps<Config>(arguments);
  }
  if constexpr (T::kGrouped) {
    sync_all<Config>();
    if constexpr (Budget::kHandOut) ptx::give_registers<Budget::kProducer>();
    if (thread / kWarpThreads == 0) Producer<Config>(arguments, shared, place).run();
    if (thread / kWarpThreads == 1) find_jobs<Config>(arguments, shared, place);
  } else {
    Producer<Config> producer(arguments, shared, place);
    sync_all<Config>();
    if constexpr (Budget::kHandOut) ptx::give_registers<Budget::kProducer>();
    if (thread / kWarpThreads == 0) producer.run();
  }
}

template <class Config>
DEEPGEMM_DEVICE void fp8_gemm_block(const GemmArguments& arguments, SharedStorage<Config>& shared) {
  using T = Tile<Config>;
  using Budget = RegisterBudget<Config>;
  static_assert(sizeof(SharedStorage<Config>) == Config::kSharedBytes,
                "host and kernel disagree about the size of shared memory");
  ptx::allow_next_kernel();
  const u32 rank = T::kCluster > 1 ? ptx::cluster_rank() : 0;
  const BlockPlace place = {blockIdx.x / T::kCluster, rank};
  if (threadIdx.x >= T::kMathThreads) {
    produce<Config>(arguments, shared, place);
  } else {
    sync_all<Config>();
    if constexpr (Budget::kHandOut) ptx::take_registers<Budget::kMath>();
    if constexpr (T::kGrouped) {
      GroupConsumer<Config>(arguments, shared, place).run();
    } else {
      Consumer<Config>(arguments, shared, place).run();
    }
  }
  // A block must not leave while its peer still signals its barriers or writes its stages.
  if constexpr (T::kCluster > 1) sync_all<Config>();
}

}  // namespace deepgemm
