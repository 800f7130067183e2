// The producer: one thread that keeps the ring of stages full.
#pragma once

#include "pipeline/ring.cuh"
#include "pipeline/storage.cuh"
#include "pipeline/work.cuh"
#include "ptx/bulk_tensor.cuh"
#include "ptx/control.cuh"
#include "ptx/mbarrier.cuh"

namespace deepgemm {

// Every K block of every segment of a block, in order.
template <class Config>
class Steps {
 public:
  DEEPGEMM_DEVICE Steps(const GemmArguments& arguments, BlockPlace place)
      : arguments_(arguments), rank_(place.rank), work_(work_shape(arguments), place.worker) {
    open();
  }

  DEEPGEMM_DEVICE bool valid() const { return valid_; }
  DEEPGEMM_DEVICE Corner corner() const { return corner_; }
  DEEPGEMM_DEVICE u32 k_block() const { return k_block_; }

  DEEPGEMM_DEVICE void advance() {
    ++k_block_;
    if (k_block_ == segment_.k_end) open();
  }

 private:
  DEEPGEMM_DEVICE void open() {
    valid_ = work_.next(segment_);
    if (!valid_) return;
    corner_ = corner_of<Config>(arguments_, segment_.tile, rank_);
    k_block_ = segment_.k_begin;
  }

  const GemmArguments& arguments_;
  u32 rank_;
  WorkList work_;
  Segment segment_{};
  Corner corner_{};
  u32 k_block_ = 0;
  bool valid_ = false;
};

template <class Config>
class Producer {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE Producer(const GemmArguments& arguments, SharedStorage<Config>& shared,
                           BlockPlace place)
      : arguments_(arguments), shared_(shared), place_(place) {}

  // The weights of the first stages may be loaded while the previous kernel still runs.
  DEEPGEMM_DEVICE void run() {
    u32 early = 0;
    if (arguments_.weights_ready != 0) early = load_first_weights();
    ptx::wait_for_previous_kernel();
    Ring<Config::kStages> ring;
    u32 done = 0;
    for (Steps<Config> steps(arguments_, place_); steps.valid(); steps.advance(), ring.advance()) {
      if (done >= early) {
        // A fresh stage counts as empty: its barrier is in the phase before the first.
        ptx::barrier_wait(&shared_.empty[ring.stage], ring.parity ^ 1);
        ptx::barrier_arrive_expect(&shared_.full[ring.stage], T::kStageBytes);
        load_weights(ring.stage, steps);
      }
      load_activations(ring.stage, steps);
      ++done;
    }
  }

 private:
  DEEPGEMM_DEVICE u32 load_first_weights() {
    u32 stage = 0;
    Steps<Config> steps(arguments_, place_);
    for (; stage < Config::kStages && steps.valid(); ++stage, steps.advance()) {
      ptx::barrier_arrive_expect(&shared_.full[stage], T::kStageBytes);
      load_weights(stage, steps);
    }
    return stage;
  }

  DEEPGEMM_DEVICE void load_weights(u32 stage, const Steps<Config>& steps) {
    if constexpr (Config::kSwapped) {
      load_left(stage, steps);
    } else {
      load_right(stage, steps);
    }
  }

  DEEPGEMM_DEVICE void load_activations(u32 stage, const Steps<Config>& steps) {
    if constexpr (Config::kSwapped) {
      load_right(stage, steps);
    } else {
      load_left(stage, steps);
    }
  }

  DEEPGEMM_DEVICE void load_left(u32 stage, const Steps<Config>& steps) {
    load_values<T::kSharesLeft, T::kLeft>(&arguments_.left, shared_.left[stage], stage,
                                          steps.k_block(), steps.corner().left);
    if constexpr (T::kLeftVectors) {
      ptx::tensor_load(shared_.left_scales[stage], &arguments_.left_scales, &shared_.full[stage],
                       steps.corner().left, steps.k_block());
    }
  }

  DEEPGEMM_DEVICE void load_right(u32 stage, const Steps<Config>& steps) {
    load_values<T::kSharesRight, T::kRight>(&arguments_.right, shared_.right[stage], stage,
                                            steps.k_block(), steps.corner().right);
    if constexpr (T::kRightVectors) {
      ptx::tensor_load(shared_.right_scales[stage], &arguments_.right_scales, &shared_.full[stage],
                       steps.corner().right, steps.k_block());
    }
  }

  // A shared operand comes in two halves: each block of the cluster loads one for both.
  template <bool kShared, int kRows>
  DEEPGEMM_DEVICE void load_values(const TensorMap* map, u8* to, u32 stage, u32 k_block, u32 row) {
    if constexpr (kShared) {
      constexpr u32 kHalf = kRows / T::kCluster;
      ptx::tensor_load_multicast(to + place_.rank * kHalf * kRowBytes, map, &shared_.full[stage],
                                 k_block * kScaleBlock, row + place_.rank * kHalf,
                                 (1 << T::kCluster) - 1);
    } else {
      ptx::tensor_load(to, map, &shared_.full[stage], k_block * kScaleBlock, row);
    }
  }

  const GemmArguments& arguments_;
  SharedStorage<Config>& shared_;
  BlockPlace place_;
};

}  // namespace deepgemm
