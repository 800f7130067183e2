// Copies of grids of scales between layouts and formats, by blocks of 256 threads.
#pragma once

#include "quantize/scale_grid.cuh"

namespace deepgemm {

constexpr u32 kCopyInner = 64;  // cells along the dimension that lies back to back in `out`
constexpr u32 kCopyOuter = 32;  // and along the other

// `source` has the extents of `out`. Nothing is rounded: ue8m0 becomes f32 exactly; an f32 scale
// that has no ue8m0 form becomes 0xff there, and *inexact 1.
struct ScaleCopy {
  ScaleGrid source;
  ScaleGrid out;
  u32* inexact;      // null where every scale has a form
  u32 rows_inner;    // 1: consecutive rows lie back to back in `out`, 0: consecutive columns
  u32 inner_blocks;  // blocks of threads along that dimension
  u32 outer_blocks;  // and along the other
  u32 unused;
};

static_assert(sizeof(ScaleCopy) == 136, "the host packs 136 bytes of a copy of scales");

// False when the scale has no form in `out`.
DEEPGEMM_DEVICE bool copy_scale(const ScaleCopy& copy, i64 from, i64 to) {
  if (copy.out.ue8m0 == 0) {
    static_cast<float*>(copy.out.data)[to] = read_scale(copy.source, from);
    return true;
  }
  u8* codes = static_cast<u8*>(copy.out.data);
  if (copy.source.ue8m0 != 0) {
    codes[to] = static_cast<const u8*>(copy.source.data)[from];
    return true;
  }
  const u32 bits = __float_as_uint(static_cast<const float*>(copy.source.data)[from]);
  const u32 exponent = bits >> 23;  // with the sign, which must be clear
  const bool power = (bits & 0x7fffffu) == 0 && exponent >= 1 && exponent <= 254;
  const bool smallest = bits == 0x00400000u;  // 2^-127, the subnormal of code 0
  codes[to] = static_cast<u8>(power ? exponent : smallest ? 0 : 0xff);
  return power || smallest;
}

// The part of block number `block` of groups * inner_blocks * outer_blocks.
DEEPGEMM_DEVICE void copy_scales(const ScaleCopy& copy, u32 block) {
  const ScaleGrid& out = copy.out;
  const u32 inner_block = block % copy.inner_blocks;
  const u32 rest = block / copy.inner_blocks;
  const u32 group = rest / copy.outer_blocks;
  const bool rows_inner = copy.rows_inner != 0;
  const u32 inner = inner_block * kCopyInner + threadIdx.x % kCopyInner;
  if (inner >= (rows_inner ? out.padded_rows : out.padded_columns)) return;
  const u32 outer_end = rows_inner ? out.padded_columns : out.padded_rows;
  u32 outer = rest % copy.outer_blocks * kCopyOuter + threadIdx.x / kCopyInner;
  bool exact = true;
#pragma unroll 4
  for (u32 i = 0; i < kCopyOuter; i += 256 / kCopyInner, outer += 256 / kCopyInner) {
    if (outer >= outer_end) break;
    const u32 row = rows_inner ? inner : outer;
    const u32 column = rows_inner ? outer : inner;
    const i64 to = scale_index(out, group, row, column);
    if (row < out.rows && column < out.columns) {
      exact &= copy_scale(copy, scale_index(copy.source, group, row, column), to);
    } else {
      write_scale(out, to, 0.0f);
    }
  }
  if (!exact) *copy.inexact = 1;
}

}  // namespace deepgemm
