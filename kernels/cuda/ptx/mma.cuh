// Warp-wide products on the tensor cores, operands in registers.
#pragma once

#include "base/types.cuh"

namespace deepgemm::ptx {

// mma.m16n8k32 on e4m3: d += a * b. With g = lane / 4 and q = lane % 4 a lane holds rows g and g +
// 8 of `a` at k = 4 q (a[0], a[1]) and 16 + 4 q (a[2], a[3]), column g of `b` at the same k (b[0],
// b[1]), and of `d` columns 2 q and 2 q + 1 of rows g (d[0], d[1]) and g + 8 (d[2], d[3]).
DEEPGEMM_DEVICE void multiply_e4m3(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
  asm("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

}  // namespace deepgemm::ptx
