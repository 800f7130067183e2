// The kernels around the grouped products in enough of their forms that every branch of their
// sources is compiled: what CI compiles with nvcc.

import type { DeviceKernelSpec } from '@deepgemm/jit'
import { combineKernel } from '../../src/cuda/combine.js'
import { groupCheckKernel } from '../../src/cuda/group-check.js'
import { logitsKernel } from '../../src/cuda/logits.js'
import { permuteKernel } from '../../src/cuda/permute-rows.js'
import { planKernel } from '../../src/cuda/plan-permutation.js'
import { routeKernel } from '../../src/cuda/route.js'
import { selectKernel } from '../../src/cuda/select.js'
import { swigluKernel, swigluQuantizeKernel } from '../../src/cuda/swiglu.js'

const [sigmoid, softmax] = ['group-limited-sigmoid', 'softmax'] as const

export const COVERING_KERNELS: readonly DeviceKernelSpec[] = [
  routeKernel({ gating: sigmoid, experts: 256, dtype: 'f32' }),
  routeKernel({ gating: sigmoid, experts: 2048, dtype: 'bf16' }),
  routeKernel({ gating: softmax, experts: 8, dtype: 'f16' }),
  routeKernel({ gating: softmax, experts: 512, dtype: 'f32' }),
  selectKernel({ gating: sigmoid, experts: 256, dtype: 'f32' }),
  selectKernel({ gating: softmax, experts: 8, dtype: 'bf16' }),
  logitsKernel(),
  planKernel({ experts: 64, isShared: false }),
  planKernel({ experts: 256, isShared: true }),
  planKernel({ experts: 2048, isShared: true }),
  permuteKernel({ aligned: true, scaleDType: 'f32' }),
  permuteKernel({ aligned: false, scaleDType: 'ue8m0' }),
  swigluKernel({ input: 'bf16', out: 'bf16', aligned: true }),
  swigluKernel({ input: 'f16', out: 'f32', aligned: true }),
  swigluKernel({ input: 'f32', out: 'f16', aligned: false }),
  swigluQuantizeKernel({ input: 'bf16', scaleDType: 'f32', aligned: true, rowsPerWarp: 4 }),
  swigluQuantizeKernel({ input: 'f32', scaleDType: 'ue8m0', aligned: false, rowsPerWarp: 1 }),
  swigluQuantizeKernel({ input: 'f32', scaleDType: 'f32', aligned: true, rowsPerWarp: 1 }),
  combineKernel({ rows: 'bf16', addend: 'bf16', out: 'bf16', aligned: true }),
  combineKernel({ rows: 'f32', addend: 'f16', out: 'f32', aligned: true }),
  combineKernel({ rows: 'f16', addend: 'f32', out: 'f16', aligned: false }),
  ...(['contiguous', 'packed', 'masked', 'k-grouped'] as const).map(groupCheckKernel),
]
