// Writes kernels/cuda/wgmma/instructions.cuh: one wrapper per shape of wgmma on e4m3 operands.

/** Columns of D that one wgmma on 8-bit operands can have. */
export const wgmmaColumns: readonly number[] = Array.from({ length: 32 }, (_, i) => 8 * (i + 1))

const head = `// Written by wgmmaInstructions() in kernels/src/wgmma.ts; a test compares. Do not edit.
//
// d (+)= a * b, m64nNk32, e4m3 x e4m3 -> f32, both operands in shared memory. \`accumulate\` 0
// overwrites d. Thread t of the warp group holds rows 16 * (t / 32) + t % 32 / 4 (registers 4 j and
// 4 j + 1) and that + 8 (4 j + 2 and 4 j + 3), columns 8 j + 2 * (t % 4) and the next.
#pragma once

#include "base/types.cuh"

// clang-format off
namespace deepgemm {

template <int kColumns> struct Wgmma;
`

const foot = `
}  // namespace deepgemm
// clang-format on
`

/** The text of the header, the same at every call. */
export function wgmmaInstructions(): string {
  return head + wgmmaColumns.map(instruction).join('') + foot
}

function instruction(columns: number): string {
  const registers = columns / 2
  const list = (item: (i: number) => string): string =>
    Array.from({ length: registers }, (_, i) => item(i)).join(',')
  const [a, b, p] = [registers, registers + 1, registers + 2]
  return `
template <> struct Wgmma<${columns}> {
  static DEEPGEMM_DEVICE void multiply(float (&d)[${registers}], u64 a, u64 b, int accumulate) {
    asm volatile("{.reg .pred p; setp.ne.b32 p,%${p},0; wgmma.mma_async.sync.aligned.m64n${columns}k32.f32.e4m3.e4m3 {${list((i) => `%${i}`)}},%${a},%${b},p,1,1;}"
      : ${list((i) => `"+f"(d[${i}])`)} : "l"(a),"l"(b),"r"(accumulate));
  }
};
`
}
