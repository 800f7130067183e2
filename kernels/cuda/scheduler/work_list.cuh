// Which worker (a block, or a cluster of blocks) computes what. Plain arithmetic: the host's tests
// run this file.
//
// Tiles [0, streamed_tiles) are shared along K: their K blocks, in one row, are dealt to the
// workers in contiguous ranges of equal length (within one). The tiles after them are computed
// whole, one worker each, in turn. A share of a tile is a segment.
//
// The segment with a tile's last K block owns the tile: its worker adds the partial sums of the
// others, in ascending order of worker, and stores. Every worker walks its range from the end to
// the beginning, so that the partial sum it owes to the next worker (always the end of its range)
// is written first and the one it waits for comes last. A worker waits for lower workers only, and
// owes at most one partial sum, so one slot of the workspace per worker is enough.
#pragma once

#include "base/divisor.cuh"

namespace deepgemm {

struct WorkShape {
  u32 tiles;
  u32 k_blocks;  // of 128, per tile
  u32 workers;
  u32 streamed_tiles;  // at most tiles; times k_blocks it stays below 2^31
  u32 share;           // units (K blocks of streamed tiles) of a worker's range
  u32 longer_shares;   // the first ranges, one unit longer than the others

  DEEPGEMM_ANYWHERE static WorkShape of(u32 tiles, u32 k_blocks, u32 workers, u32 streamed_tiles) {
    const u32 units = streamed_tiles * k_blocks;
    return {tiles, k_blocks, workers, streamed_tiles, units / workers, units % workers};
  }

  // First unit of a worker's range; the range ends at the next one's.
  DEEPGEMM_ANYWHERE u32 first_unit(u32 worker) const {
    return worker * share + least(worker, longer_shares);
  }

  // The worker in whose range a unit lies.
  DEEPGEMM_ANYWHERE u32 worker_of(u32 unit) const {
    const u32 longer = longer_shares * (share + 1);
    if (unit < longer) return unit / (share + 1);
    return longer_shares + (unit - longer) / share;
  }
};

struct Segment {
  u32 tile;
  u32 k_begin;  // in K blocks
  u32 k_end;
  u32 k_blocks;

  DEEPGEMM_ANYWHERE bool owns_tile() const { return k_end == k_blocks; }
  DEEPGEMM_ANYWHERE bool is_whole() const { return k_begin == 0 && k_end == k_blocks; }
};

class WorkList {
 public:
  DEEPGEMM_ANYWHERE WorkList(const WorkShape& shape, Divisor by_k_blocks, u32 worker)
      : shape_(shape),
        by_k_blocks_(by_k_blocks),
        range_begin_(shape.first_unit(worker)),
        range_rest_(shape.first_unit(worker + 1)),
        whole_tile_(shape.streamed_tiles + worker) {}

  // False, and `segment` unchanged, when there is no more.
  DEEPGEMM_ANYWHERE bool next(Segment& segment) {
    if (range_rest_ > range_begin_) {
      const u32 tile = by_k_blocks_.quotient(range_rest_ - 1);
      const u32 tile_begin = tile * shape_.k_blocks;
      const u32 begin = most(tile_begin, range_begin_);
      segment = {tile, begin - tile_begin, range_rest_ - tile_begin, shape_.k_blocks};
      range_rest_ = begin;
      return true;
    }
    if (whole_tile_ >= shape_.tiles) return false;
    segment = {whole_tile_, 0, shape_.k_blocks, shape_.k_blocks};
    whole_tile_ += shape_.workers;
    return true;
  }

 private:
  WorkShape shape_;
  Divisor by_k_blocks_;
  u32 range_begin_;
  u32 range_rest_;  // units of the range not walked yet end here
  u32 whole_tile_;
};

}  // namespace deepgemm
