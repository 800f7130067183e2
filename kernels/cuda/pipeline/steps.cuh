// The walk of the producer: every K block of every segment of a block, in order, with its place in
// the operands and their scales.
#pragma once

#include "pipeline/job.cuh"
#include "pipeline/storage.cuh"
#include "pipeline/work.cuh"

namespace deepgemm {

// Of a dense product.
template <class Config>
class Steps {
 public:
  DEEPGEMM_DEVICE Steps(const GemmArguments& arguments, SharedStorage<Config>&, BlockPlace place)
      : arguments_(arguments), rank_(place.rank), work_(work_shape(arguments), place.worker) {
    open();
  }

  DEEPGEMM_DEVICE bool valid() const { return valid_; }
  DEEPGEMM_DEVICE u32 column() const { return k_block_ * kScaleBlock; }
  DEEPGEMM_DEVICE u32 left_row() const { return corner_.left; }
  DEEPGEMM_DEVICE u32 right_row() const { return corner_.right; }
  // Scales lie in rows of K blocks.
  DEEPGEMM_DEVICE u32 scale_row() const { return k_block_; }
  DEEPGEMM_DEVICE u32 left_scale() const { return corner_.left; }
  DEEPGEMM_DEVICE u32 right_scale() const { return corner_.right; }

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

// Of a grouped product.
template <class Config>
class GroupSteps {
  using T = Tile<Config>;

 public:
  DEEPGEMM_DEVICE GroupSteps(const GemmArguments& arguments, SharedStorage<Config>& shared,
                             BlockPlace)
      : arguments_(arguments), jobs_(shared.jobs) {
    open();
  }

  DEEPGEMM_DEVICE bool valid() const { return valid_; }
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
    if (--rest_ == 0) open();
  }

 private:
  // The next job with something to multiply.
  DEEPGEMM_DEVICE void open() {
    while (true) {
      const GroupJob& job = jobs_.take();
      valid_ = (job.flags & GroupJob::kEnd) == 0;
      if (!valid_) return;
      read(job);
      jobs_.release();
      jobs_.advance();
      if (rest_ != 0) return;
    }
  }

  DEEPGEMM_DEVICE void read(const GroupJob& job) {
    rest_ = job.k_end - job.k_begin;
    tokens_ = Config::kSwapped ? job.right : job.left;
    weights_ = Config::kSwapped ? job.left : job.right;
    column_ = job.k_begin * kScaleBlock;
    scale_row_ = job.k_begin;
    token_scale_ = tokens_;
    if constexpr (T::kLayout == Layout::kKGrouped) {
      column_ = job.k_first - job.k_first % kColumnGrain;
      scale_row_ = job.scale_row;
      // Twice as many steps as K blocks, see SliceOfK.
      is_shifted_ = column_ != job.k_first;
      is_second_ = false;
    } else {
      weights_ += job.group * (Config::kSwapped ? arguments_.left_extent : arguments_.right_extent);
    }
    if constexpr (T::kLayout == Layout::kMasked) {
      // Every group has rows of scales of its own.
      token_scale_ -= job.group * arguments_.group_rows;
      scale_row_ += job.group * ceil_div(arguments_.k, static_cast<u32>(kScaleBlock));
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
  bool valid_ = false;
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
