// stmatrix: 8x8 tiles of 16-bit elements from a warp's registers to shared memory.
#pragma once

#include "ptx/address.cuh"

namespace deepgemm::ptx {

// cvt.rn.bf16x2.f32: `low` in the lower half.
DEEPGEMM_DEVICE u32 pack_bf16(float low, float high) {
  u32 packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

// Lane 8 i + r names the row r of tile i.
DEEPGEMM_DEVICE void store_matrix_x4(u32 address, u32 a, u32 b, u32 c, u32 d) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
               "r"(a), "r"(b), "r"(c), "r"(d)
               : "memory");
}

// The tiles are transposed on their way: lane 8 i + c names where column c of tile i goes.
DEEPGEMM_DEVICE void store_matrix_x4_transposed(u32 address, u32 a, u32 b, u32 c, u32 d) {
  asm volatile(
      "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
      "r"(a), "r"(b), "r"(c), "r"(d)
      : "memory");
}

DEEPGEMM_DEVICE void store_matrix_x2_transposed(u32 address, u32 a, u32 b) {
  asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};" ::"r"(address),
               "r"(a), "r"(b)
               : "memory");
}

}  // namespace deepgemm::ptx
