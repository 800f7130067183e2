// Shared-memory matrix descriptors of wgmma for K-major operands in rows of 128 bytes, swizzled
// over 128 bytes.
#pragma once

#include "ptx/address.cuh"

namespace deepgemm {

constexpr int kRowBytes = 128;           // one row of an operand's stage: 128 e4m3 of K
constexpr int kInstructionK = 32;        // K of one wgmma on 8-bit operands
constexpr int kSwizzleAtomBytes = 1024;  // 8 rows: the period of the swizzle

// Fields, in units of 16 bytes: bits 0-13 the start address, 16-29 the leading offset (ignored for
// swizzled K-major operands, 1 by convention), 32-45 the stride from one group of 8 rows to the
// next, 62-63 the swizzle (1: 128 bytes). The base offset (bits 49-51) is 0 because every operand
// starts at a multiple of 1024 bytes. A step along K adds to the start address only: the hardware
// swizzles the address it computes, and 32 bytes stay within a row.
//
// The two halves are kept apart: only the lower one changes, and 32-bit sums of values that are
// uniform in a warp need no register of any thread.
DEEPGEMM_ANYWHERE constexpr u32 descriptor_low(u32 shared) { return (shared >> 4) | (1u << 16); }

DEEPGEMM_ANYWHERE constexpr u64 matrix_descriptor(u32 low) {
  return (static_cast<u64>((1u << 30) | (kSwizzleAtomBytes >> 4)) << 32) | low;
}

// What to add to the lower half for `bytes` further on; a multiple of 16.
DEEPGEMM_ANYWHERE constexpr u32 descriptor_step(u32 bytes) { return bytes >> 4; }

}  // namespace deepgemm
