// A group's slice of K, which may begin and end anywhere. Plain arithmetic: the host's tests run
// this file.
//
// The copy engine begins at multiples of 16 columns. A slice that does not is loaded from the last
// such place before it: then a block of 128 columns with one scale lies in two loads, and is two
// steps. Only groups that begin in such a place pay for that.
#pragma once

#include "base/types.cuh"

namespace deepgemm {

struct Columns {
  int begin;
  int end;
};

struct SliceOfK {
  u32 size;   // columns
  u32 shift;  // of the first one behind the place where loads begin

  // The columns of a step's 128 that are the group's and belong to the step's block.
  DEEPGEMM_ANYWHERE Columns columns_of(u32 step) const {
    if (shift == 0) return {0, static_cast<int>(size - step * kScaleBlock)};
    const u32 rest = size - step / 2 * kScaleBlock;  // of the block and those after it
    const int end = static_cast<int>(least(rest, static_cast<u32>(kScaleBlock)) + shift);
    if (step % 2 == 0) return {static_cast<int>(shift), end};
    return {0, end - kScaleBlock};
  }
};

// Of the four bytes in `word`, those outside of [begin, end) become zero.
DEEPGEMM_ANYWHERE u32 bytes_between(u32 word, int begin, int end) {
  if (end < 4) word = end <= 0 ? 0 : word & ((1u << (8 * end)) - 1);
  if (begin > 0) word = begin >= 4 ? 0 : word & (0xffffffffu << (8 * begin));
  return word;
}

}  // namespace deepgemm
