/** The kernels that a layer loads when it is created, for tools that compile them ahead. Pure. */

import { type OutDType, roundUp } from '@deepgemm/core'
import type { Sm90Device } from '@deepgemm/core/sm90'
import { type DeviceKernelSpec, scaleRelayoutKernel } from '@deepgemm/jit'
import { groupedConfigs, groupedKernel } from './cuda/grouped-configs.js'
import { layerKernels } from './cuda/layer-kernels.js'
import { FEW_TOKENS } from './cuda/logits.js'
import { ROUTER_ROWS } from './cuda/operand.js'
import type { Gating } from './gating.js'
import { rangeOf } from './grouped/plan.js'
import { type MoeCapacity, resolveCapacity } from './layer/options.js'

export { gatingFromConfig } from './layer/config.js'

/** A layer as far as its kernels depend on it. */
export type MoeLayerShape = MoeCapacity & {
  readonly experts: number
  readonly hidden: number
  readonly intermediate: number
  /** Of the shared experts together; undefined without them. */
  readonly shared?: number
  readonly topK: number
  readonly gating: NonNullable<Gating['gating']>
}

/** Rows of a grouped product as far as its kernels depend on them: what `planGroupedGemm` is given. */
export type GroupedShape = {
  readonly layout: 'contiguous' | 'packed' | 'masked'
  readonly groups: number
  readonly n: number
  readonly k: number
  readonly m: { readonly max: number }
  readonly out: OutDType
}

/** The kernels that `planGroupedGemm` loads for a product. */
export function groupedGemmKernels(shape: GroupedShape, device: Sm90Device): DeviceKernelSpec[] {
  const expectedM = shape.m.max
  const range = rangeOf({ ...shape, expectedM, accumulate: false, validate: false })
  return [...groupedConfigs(range, device).map(groupedKernel), scaleRelayoutKernel]
}

type Product = Omit<Parameters<typeof rangeOf>[0], 'accumulate' | 'validate'>

/** @throws {OptionError} for a capacity that no layer can have */
export function moeLayerKernels(shape: MoeLayerShape, device: Sm90Device): DeviceKernelSpec[] {
  const ranges = productsOf(shape).map((product) =>
    rangeOf({ ...product, accumulate: false, validate: false }),
  )
  const configs = ranges.flatMap((range) => groupedConfigs(range, device))
  const all = [
    ...configs.map(groupedKernel),
    scaleRelayoutKernel,
    ...layerKernels(shape.experts, shape.gating),
  ]
  return [...new Map(all.map((spec) => [JSON.stringify(spec), spec])).values()]
}

/** What `planProducts` of a layer plans. */
function productsOf(shape: MoeLayerShape): Product[] {
  const { experts, hidden, intermediate, shared, topK } = shape
  const { maxTokens, maxDecodeTokens } = resolveCapacity(shape)
  const rows = maxTokens * topK
  const expected = Math.ceil((maxDecodeTokens * topK) / experts)
  const packed = { layout: 'packed', groups: experts, m: { max: rows }, expectedM: rows } as const
  const most = { max: maxDecodeTokens }
  const masked = { layout: 'masked', groups: experts, m: most, expectedM: expected } as const
  const single = { groups: 1, m: { max: maxTokens }, expectedM: maxTokens } as const
  const all = { layout: 'contiguous', ...single } as const
  const router = { n: roundUp(experts, ROUTER_ROWS), k: hidden, out: 'f32' } as const
  return [
    ...(maxTokens > maxDecodeTokens ? swiglu(packed, hidden, intermediate) : []),
    ...(maxDecodeTokens > 0 ? swiglu(masked, hidden, intermediate) : []),
    ...(shared === undefined ? [] : swiglu(all, hidden, shared)),
    // 1x128 scales on both sides, which the k-grouped product has.
    ...(maxTokens > FEW_TOKENS ? [{ layout: 'k-grouped' as const, ...single, ...router }] : []),
  ]
}

function swiglu<T extends object>(product: T, hidden: number, intermediate: number) {
  return [
    { ...product, n: 2 * intermediate, k: hidden, out: 'bf16' as const },
    { ...product, n: hidden, k: intermediate, out: 'bf16' as const },
  ]
}
