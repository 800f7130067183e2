// What a worker of a grouped product computes: as WorkList, but in every round of whole tiles the
// workers move on by one place. Where every second tile has few rows, say, these would otherwise
// all be the same workers'. Plain arithmetic: the host's tests run this file.
#pragma once

#include "scheduler/work_list.cuh"

namespace deepgemm {

// The warp that walks this has few registers: what is known to every thread comes in anew each
// time.
class GroupWork {
 public:
  DEEPGEMM_ANYWHERE GroupWork(const WorkShape& shape, u32 worker) {
    if (shape.streamed_tiles == 0) {
      begin_whole(shape);
    } else {
      begin_ = shape.first_unit(worker);
      rest_ = shape.first_unit(worker + 1);
      if (rest_ == begin_) begin_whole(shape);
    }
  }

  // False, and `segment` unchanged, when there is no more.
  DEEPGEMM_ANYWHERE bool next(const WorkShape& shape, u32 worker, Segment& segment) {
    if (rest_ > begin_) {
      const u32 tile = (rest_ - 1) / shape.k_blocks;
      const u32 tile_begin = tile * shape.k_blocks;
      const u32 begin = most(tile_begin, begin_);
      segment = {tile, begin - tile_begin, rest_ - tile_begin, shape.k_blocks};
      rest_ = begin;
      if (rest_ == begin_) begin_whole(shape);
      return true;
    }
    while (rest_ < shape.tiles) {
      const u32 round = (rest_ - shape.streamed_tiles) / shape.workers;
      const u32 tile = rest_ + (worker + round) % shape.workers;
      rest_ += shape.workers;
      if (tile < shape.tiles) {
        segment = {tile, 0, shape.k_blocks, shape.k_blocks};
        return true;
      }
    }
    return false;
  }

 private:
  DEEPGEMM_ANYWHERE void begin_whole(const WorkShape& shape) {
    begin_ = ~0u;
    rest_ = shape.streamed_tiles;
  }

  u32 begin_;  // of the units that are shared along K; later the largest number there is
  u32 rest_;   // units not walked yet end here; later the first tile of the next round
};

}  // namespace deepgemm
