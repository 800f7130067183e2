// The last K block of a group whose slice of K is no multiple of 128: what the stage holds behind
// the slice belongs to the next group and becomes zero, on both sides, for it may be NaN.
#pragma once

#include "pipeline/storage.cuh"
#include "ptx/bulk_tensor.cuh"
#include "ptx/control.cuh"
#include "tma/swizzle.cuh"

namespace deepgemm {

// Of the four columns in `word`, those from `columns` on become zero.
DEEPGEMM_ANYWHERE u32 leading_bytes(u32 word, int columns) {
  if (columns >= 4) return word;
  return columns <= 0 ? 0 : word & ((1u << (8 * columns)) - 1);
}

// Columns from `columns` on in `kRows` rows of a stage, by all math threads.
template <int kRows, int kThreads>
DEEPGEMM_DEVICE void clear_columns(u8* rows, u32 columns) {
  constexpr u32 kUnits = kRowBytes / 16;  // of 16 bytes, per row
#pragma unroll 1
  for (u32 at = threadIdx.x; at < kRows * kUnits; at += kThreads) {
    const u32 column = at % kUnits * 16;
    if (column + 16 <= columns) continue;
    uint4* unit = reinterpret_cast<uint4*>(rows + swizzled<128>(at * 16));
    const int kept = static_cast<int>(columns) - static_cast<int>(column);
    const uint4 old = *unit;
    *unit = {leading_bytes(old.x, kept), leading_bytes(old.y, kept - 4),
             leading_bytes(old.z, kept - 8), leading_bytes(old.w, kept - 12)};
  }
}

// All math threads; `columns` of the stage's 128 are the group's.
template <class Config>
DEEPGEMM_DEVICE void clear_k_tail(SharedStorage<Config>& shared, u32 stage, u32 columns) {
  using T = Tile<Config>;
  if (columns >= kScaleBlock) return;
  clear_columns<T::kLeft, T::kMathThreads>(shared.left[stage], columns);
  clear_columns<T::kRight, T::kMathThreads>(shared.right[stage], columns);
  ptx::fence_async_proxy();
  ptx::sync_threads(7, T::kMathThreads);
}

}  // namespace deepgemm
