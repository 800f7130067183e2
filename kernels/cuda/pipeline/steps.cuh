// The walk of the producer: every K block of every segment of a block, in order, with its place in
// the operands and their scales. All lanes of a warp walk together, and all numbers are known to be
// the same in them: those that are not cost a copy ten times the instructions.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/storage.cuh"
#include "pipeline/work.cuh"
#include "ptx/control.cuh"

namespace deepgemm {

// Of a dense product.
template <class Config>
class Steps {
 public:
  DEEPGEMM_DEVICE Steps(const GemmArguments& arguments, SharedStorage<Config>&, BlockPlace place)
      : arguments_(arguments),
        rank_(place.rank),
        work_(work_shape(arguments), arguments.k_blocks, place.worker) {}

  // Goes to the next segment; false where there is none.
  DEEPGEMM_DEVICE bool open() {
    Segment segment{};
    if (ptx::uniform(work_.next(segment)) == 0) return false;
    const Corner corner = corner_of<Config>(arguments_, segment.tile, rank_);
    left_ = ptx::uniform(corner.left);
    right_ = ptx::uniform(corner.right);
    k_block_ = ptx::uniform(segment.k_begin);
    k_end_ = ptx::uniform(segment.k_end);
    return true;
  }

  DEEPGEMM_DEVICE bool valid() const { return k_block_ != k_end_; }
  DEEPGEMM_DEVICE void advance() { ++k_block_; }

  DEEPGEMM_DEVICE u32 column() const { return k_block_ * kScaleBlock; }
  DEEPGEMM_DEVICE u32 left_row() const { return left_; }
  DEEPGEMM_DEVICE u32 right_row() const { return right_; }
  // Scales lie in rows of K blocks.
  DEEPGEMM_DEVICE u32 scale_row() const { return k_block_; }
  DEEPGEMM_DEVICE u32 left_scale() const { return left_; }
  DEEPGEMM_DEVICE u32 right_scale() const { return right_; }

 private:
  const GemmArguments& arguments_;
  u32 rank_;
  WorkList work_;
  u32 left_ = 0;
  u32 right_ = 0;
  u32 k_block_ = 0;
  u32 k_end_ = 0;
};

// Of a grouped product.
template <class Config>
class GroupSteps {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE GroupSteps(const GemmArguments& arguments, SharedStorage<Config>& shared,
                             BlockPlace)
      : arguments_(arguments), jobs_(shared.jobs) {}

  // Goes to the next job with something to multiply; false where there is none.
  DEEPGEMM_DEVICE bool open() {
    while (true) {
      const GroupJob& job = jobs_.take();
      if (ptx::uniform(job.flags & GroupJob::kEnd) != 0) return false;
      read(job);
      __syncwarp();
      if (ptx::elect()) jobs_.release();
      jobs_.advance();
      if (valid()) return true;
    }
  }

  DEEPGEMM_DEVICE bool valid() const { return rest_ != 0; }
  DEEPGEMM_DEVICE u32 column() const { return column_; }
  DEEPGEMM_DEVICE u32 left_row() const { return Config::kSwapped ? weights_ : tokens_; }
  DEEPGEMM_DEVICE u32 right_row() const { return Config::kSwapped ? tokens_ : weights_; }
  DEEPGEMM_DEVICE u32 scale_row() const { return scale_row_; }
  DEEPGEMM_DEVICE u32 left_scale() const { return token_scale_; }
  DEEPGEMM_DEVICE u32 right_scale() const {
    return T::kLayout == Layout::kKGrouped ? weights_ : token_scale_;
  }

  DEEPGEMM_DEVICE void advance() {
    if (T::kLayout == Layout::kKGrouped && is_shifted_) {
      // The second part of a block, then the first of the next: it is in the same columns.
      if (is_second_) ++scale_row_;
      if (!is_second_) column_ += kScaleBlock;
      is_second_ = !is_second_;
    } else {
      column_ += kScaleBlock;
      ++scale_row_;
    }
    --rest_;
  }

 private:
  DEEPGEMM_DEVICE void read(const GroupJob& job) {
    rest_ = ptx::uniform(job.k_end - job.k_begin);
    tokens_ = ptx::uniform(Config::kSwapped ? job.right : job.left);
    weights_ = ptx::uniform(Config::kSwapped ? job.left : job.right);
    scale_row_ = ptx::uniform(job.k_begin);
    column_ = scale_row_ * kScaleBlock;
    const u32 group = ptx::uniform(job.group);
    token_scale_ = tokens_;
    if constexpr (T::kLayout == Layout::kKGrouped) {
      const u32 first = ptx::uniform(job.k_first);
      column_ = first - first % kColumnGrain;
      scale_row_ = ptx::uniform(job.scale_row);
      // Twice as many steps as K blocks, see SliceOfK.
      is_shifted_ = column_ != first;
      is_second_ = false;
    } else {
      weights_ += group * (Config::kSwapped ? arguments_.left_extent : arguments_.right_extent);
    }
    if constexpr (T::kLayout == Layout::kMasked) {
      // Every group has rows of scales of its own.
      token_scale_ -= group * arguments_.group_rows;
      scale_row_ += group * ceil_div(arguments_.k, static_cast<u32>(kScaleBlock));
    }
  }

  const GemmArguments& arguments_;
  JobReader jobs_;
  u32 rest_ = 0;  // K blocks of the job
  u32 tokens_ = 0;
  u32 weights_ = 0;
  u32 column_ = 0;
  u32 scale_row_ = 0;
  u32 token_scale_ = 0;
  bool is_shifted_ = false;
  bool is_second_ = false;
};

template <bool kGrouped, class Config>
struct StepsOf {
  using Type = Steps<Config>;
};

template <class Config>
struct StepsOf<true, Config> {
  using Type = GroupSteps<Config>;
};

}  // namespace deepgemm
