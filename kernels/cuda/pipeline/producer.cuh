// The producer: one warp that keeps the ring of stages full.
#pragma once

#include "pipeline/ring.cuh"
#include "pipeline/steps.cuh"
#include "pipeline/storage.cuh"
#include "ptx/bulk_tensor.cuh"
#include "ptx/control.cuh"
#include "ptx/mbarrier.cuh"

namespace deepgemm {

template <class Config>
class Producer {
  using T = Tile<Config>;
  using Walk = typename StepsOf<T::kGrouped, Config>::Type;

 public:
  DEEPGEMM_DEVICE Producer(const GemmArguments& arguments, SharedStorage<Config>& shared,
                           BlockPlace place)
      : arguments_(arguments), shared_(shared), place_(place), steps_(arguments, shared, place) {
    if constexpr (!T::kGrouped) more_ = steps_.open();
  }

  // The weights of the first stages may be loaded while the previous kernel still runs, unless that
  // decides which ones are needed.
  DEEPGEMM_DEVICE void run() {
    u32 early = 0;
    if constexpr (!T::kGrouped) {
      if (arguments_.weights_ready != 0) early = load_first_weights();
    }
    ptx::wait_for_previous_kernel();
    if constexpr (T::kGrouped) more_ = steps_.open();
    Ring<Config::kStages> ring;
#pragma unroll 1
    for (; ring.stage < early; ring.advance(), steps_.advance()) {
      if (ptx::elect()) load_activations(ring.stage, steps_);
    }
    for (; more_; more_ = steps_.open()) {
#pragma unroll 1
      for (; steps_.valid(); steps_.advance(), ring.advance()) {
        // A fresh stage counts as empty: its barrier is in the phase before the first.
        ptx::barrier_wait(&shared_.empty[ring.stage], ring.parity ^ 1);
        if (ptx::elect()) {
          load_weights(ring.stage, steps_);
          load_activations(ring.stage, steps_);
          ptx::barrier_arrive_expect(&shared_.full[ring.stage], T::kStageBytes);
        }
      }
    }
  }

 private:
  // The activations of the first stage queue behind these loads, so that there should be no more
  // of them than a launch takes. Swapped, the weights are nearly all there is to load.
  static constexpr u32 kEarlyStages =
      Config::kSwapped ? Config::kStages - 1
                       : most(1, least(Config::kStages - 1, 32768 / T::kRightBytes));

  // How many stages of the first segment have their weights under way.
  DEEPGEMM_DEVICE u32 load_first_weights() {
    u32 stage = 0;
#pragma unroll 1
    for (Walk steps = steps_; stage < kEarlyStages && steps.valid(); ++stage, steps.advance()) {
      if (ptx::elect()) {
        ptx::barrier_arrive_expect(&shared_.full[stage], T::kStageBytes);
        load_weights(stage, steps);
      }
    }
    return stage;
  }

  DEEPGEMM_DEVICE void load_weights(u32 stage, const Walk& steps) {
    if constexpr (Config::kSwapped) {
      load_left(stage, steps);
    } else {
      load_right(stage, steps);
    }
  }

  DEEPGEMM_DEVICE void load_activations(u32 stage, const Walk& steps) {
    if constexpr (Config::kSwapped) {
      load_right(stage, steps);
    } else {
      load_left(stage, steps);
    }
  }

  DEEPGEMM_DEVICE void load_left(u32 stage, const Walk& steps) {
    load_values<T::kSharesLeft, T::kLeft>(&arguments_.left, shared_.left[stage], stage,
                                          steps.column(), steps.left_row());
    if constexpr (T::kLeftVectors) {
      ptx::tensor_load(shared_.left_scales[stage], &arguments_.left_scales, &shared_.full[stage],
                       steps.left_scale(), steps.scale_row());
    }
  }

  DEEPGEMM_DEVICE void load_right(u32 stage, const Walk& steps) {
    load_values<T::kSharesRight, T::kRight>(&arguments_.right, shared_.right[stage], stage,
                                            steps.column(), steps.right_row());
    if constexpr (T::kRightVectors) {
      ptx::tensor_load(shared_.right_scales[stage], &arguments_.right_scales, &shared_.full[stage],
                       steps.right_scale(), steps.scale_row());
    }
  }

  // A shared operand comes in two halves: each block of the cluster loads one for both.
  template <bool kShared, int kRows>
  DEEPGEMM_DEVICE void load_values(const TensorMap* map, u8* to, u32 stage, u32 column, u32 row) {
    if constexpr (kShared) {
      constexpr u32 kHalf = kRows / T::kCluster;
      ptx::tensor_load_multicast(to + place_.rank * kHalf * kRowBytes, map, &shared_.full[stage],
                                 column, row + place_.rank * kHalf, (1 << T::kCluster) - 1);
    } else {
      ptx::tensor_load(to, map, &shared_.full[stage], column, row);
    }
  }

  const GemmArguments& arguments_;
  SharedStorage<Config>& shared_;
  BlockPlace place_;
  Walk steps_;
  bool more_ = false;
};

}  // namespace deepgemm
