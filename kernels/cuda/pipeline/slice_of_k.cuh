// A group's slice of K, which may begin and end anywhere: what a stage holds besides belongs to
// other groups and becomes zero, on both sides, for it may be NaN.
//
// The copy engine begins at multiples of 16 columns. A slice that does not is loaded from the last
// such place before it: then a block of 128 columns with one scale lies in two loads, and is two
// steps. Only groups that begin in such a place pay for that.
#pragma once

#include "pipeline/storage.cuh"
#include "ptx/bulk_tensor.cuh"
#include "ptx/control.cuh"
#include "scheduler/k_slice.cuh"
#include "tma/swizzle.cuh"

namespace deepgemm {

// In `kRows` rows of a stage, by all math threads.
template <int kRows, int kThreads>
DEEPGEMM_DEVICE void clear_columns(u8* rows, Columns kept) {
  constexpr u32 kUnits = kRowBytes / 16;  // of 16 bytes, per row
#pragma unroll 1
  for (u32 at = threadIdx.x; at < kRows * kUnits; at += kThreads) {
    const int column = static_cast<int>(at % kUnits * 16);
    const int begin = kept.begin - column;
    const int end = kept.end - column;
    if (begin <= 0 && end >= 16) continue;
    uint4* unit = reinterpret_cast<uint4*>(rows + swizzled<128>(at * 16));
    const uint4 old = *unit;
    *unit = {bytes_between(old.x, begin, end), bytes_between(old.y, begin - 4, end - 4),
             bytes_between(old.z, begin - 8, end - 8), bytes_between(old.w, begin - 12, end - 12)};
  }
}

// All math threads.
template <class Config>
DEEPGEMM_DEVICE void clear_foreign_columns(SharedStorage<Config>& shared, u32 stage, Columns kept) {
  using T = Tile<Config>;
  if (kept.begin <= 0 && kept.end >= kScaleBlock) return;
  clear_columns<T::kLeft, T::kMathThreads>(shared.left[stage], kept);
  clear_columns<T::kRight, T::kMathThreads>(shared.right[stage], kept);
  ptx::fence_async_proxy();
  ptx::sync_threads(7, T::kMathThreads);
}

}  // namespace deepgemm
