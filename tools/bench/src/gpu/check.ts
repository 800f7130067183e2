// How far products are from what they should be, found on the GPU.

import { ArgumentList } from '@deepgemm/runtime/cuda'
import type { Tensor } from 'deepgemm'
import type { BenchKernels } from './kernels.js'

/** Tensors start where the product does; views of larger ones will do. */
export type ProductView = {
  readonly a: Tensor
  readonly b: Tensor
  readonly aScales: Tensor
  readonly bScales: Tensor
  readonly out: Tensor
  /** What the product was added to. */
  readonly start: Tensor | undefined
  readonly m: number
  readonly n: number
  readonly k: number
  /** Elements between rows of A and of B. */
  readonly aRow: number
  readonly bRow: number
  /** Elements between the K blocks of A's scales; those of its rows lie back to back. */
  readonly aStep: number
  /** The same of B's, and between its blocks of rows. */
  readonly bStep: number
  readonly bRowStep: number
  /** Rows of B that share a scale. */
  readonly bRows: 1 | 128
}

/** 1 - 2 sum(xy) / sum(x^2 + y^2) over every element of all products; NaN when one is NaN. */
export async function errorOf(
  kernels: BenchKernels,
  views: readonly ProductView[],
): Promise<number> {
  using sums = kernels.device.zeros({ dtype: 'u8', shape: [16], label: 'benchmark sums' })
  for (const view of views) kernels.check(checkArguments(view, sums))
  await kernels.stream.synchronize()
  const [products, squares] = new Float64Array((await sums.toBytes()).slice().buffer)
  return 1 - (2 * (products as number)) / (squares as number)
}

/** The members of `Product` in native/gpu/kernels.cu, in their order. */
function checkArguments(view: ProductView, sums: Tensor): ArgumentList {
  return new ArgumentList('struct')
    .pointer(view.a)
    .pointer(view.b)
    .pointer(view.aScales)
    .pointer(view.bScales)
    .pointer(view.out)
    .pointer(view.start)
    .pointer(sums)
    .u32(view.m)
    .u32(view.n)
    .u32(view.k)
    .u32(view.aRow)
    .u32(view.bRow)
    .u32(view.aStep)
    .u32(view.bRowStep)
    .u32(view.bStep)
    .u32(view.bRows)
    .u32(view.out.dtype === 'f32' ? 1 : 0)
}
