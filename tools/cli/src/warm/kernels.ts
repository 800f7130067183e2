// Which kernels the layers of a model need on a GPU, and why. Pure.

import type { OutDType } from '@deepgemm/core'
import { gemmConfigs, gemmKernel } from '@deepgemm/dense/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import { groupedGemmKernels, moeLayerKernels } from '@deepgemm/moe/sm90'
import { castKernel } from '@deepgemm/quant/sm90'
import type { SourceDType } from '../checkpoint/source-dtype.js'
import type { ModelLayer, ModelMoe, ModelProducts } from './models.js'

export type WarmKernel = {
  readonly spec: DeviceKernelSpec
  /** What it is for: layers, or kinds of activations. */
  readonly reasons: readonly string[]
}

/** A layer with the number of kernels that serve it, or why there are none. */
type WarmLayer = {
  readonly name: string
  /** `7168 x 2048`, or `256 experts, 7168 x 2048`. */
  readonly shape: string
  readonly kernels: number
  readonly problem?: string
}

export type WarmPlan = {
  readonly kernels: readonly WarmKernel[]
  readonly layers: readonly WarmLayer[]
}

export type WarmTarget = {
  readonly maxTokens: number
  readonly multiprocessors: number
  /** Outputs of plain layers and of stacks. */
  readonly outs: readonly OutDType[]
  /** Layouts that stacks of experts are multiplied in. */
  readonly layouts: readonly StackLayout[]
}

export const STACK_LAYOUTS = ['contiguous', 'packed', 'masked'] as const
type StackLayout = (typeof STACK_LAYOUTS)[number]

/** What `quantize` reads activations from. */
const ACTIVATIONS = ['bf16', 'f32'] as const

/**
 * The kernels that `planGemm` with `m.max` = `maxTokens` loads for each layer, `planGroupedGemm` for
 * each stack of experts, those that `MoeLayer` with that `maxTokens` loads, and the casts.
 */
export function planWarmUp({ layers, moe, floats }: ModelProducts, target: WarmTarget): WarmPlan {
  const needed = new Map<string, { spec: DeviceKernelSpec; reasons: string[] }>()
  const need = (spec: DeviceKernelSpec, reason: string): void => {
    const key = JSON.stringify([spec.name, spec.config, spec.target])
    const known = needed.get(key)
    if (known === undefined) needed.set(key, { spec, reasons: [reason] })
    else if (!known.reasons.includes(reason)) known.reasons.push(reason)
  }
  const planned = [
    ...layers.map((layer) => planLayer(layer, target, need)),
    ...moe.map((layer) => planMoe(layer, target, need)),
  ]
  if (needed.size > 0) {
    for (const source of ACTIVATIONS) need(cast(source, 'rows'), `${source} activations`)
    for (const source of floats) need(cast(source, 'squares'), `${source} weights`)
  }
  return { kernels: [...needed.values()], layers: planned }
}

type Need = (spec: DeviceKernelSpec, reason: string) => void

function planLayer(layer: ModelLayer, target: WarmTarget, need: Need): WarmLayer {
  const { name, n, k, experts } = layer
  const problem = problemOf(layer)
  const specs = problem === undefined ? layerKernels(layer, target) : []
  for (const spec of specs) need(spec, name)
  const shape = experts > 1 ? `${experts} experts, ${n} x ${k}` : `${n} x ${k}`
  return { name, shape, kernels: specs.length, ...(problem === undefined ? {} : { problem }) }
}

function planMoe(layer: ModelMoe, target: WarmTarget, need: Need): WarmLayer {
  const { name, experts, hidden, intermediate } = layer
  const shape = `${experts} experts, ${hidden} x ${intermediate}`
  if (hidden % 16 !== 0 || intermediate % 16 !== 0) {
    return { name, shape, kernels: 0, problem: 'an extent is no multiple of 16' }
  }
  const { maxTokens, multiprocessors } = target
  const specs = moeLayerKernels({ ...layer, maxTokens }, { multiprocessors })
  for (const spec of specs) need(spec, name)
  return { name, shape, kernels: specs.length }
}

function layerKernels(
  { n, k, experts }: ModelLayer,
  { maxTokens, multiprocessors, outs, layouts }: WarmTarget,
): readonly DeviceKernelSpec[] {
  const device = { multiprocessors }
  return outs.flatMap((out) => {
    if (experts === 1) {
      const family = { recipeB: '128x128', out, accumulate: false } as const
      return gemmConfigs({ family, n, k, m: { min: 1, max: maxTokens } }, device).map(gemmKernel)
    }
    return layouts.flatMap((layout) =>
      groupedGemmKernels({ layout, groups: experts, n, k, out, m: { max: maxTokens } }, device),
    )
  })
}

function cast(source: SourceDType, blocks: 'rows' | 'squares'): DeviceKernelSpec {
  return castKernel({ target: 'sm_90a', source, blocks, transposed: false, aligned: true })
}

function problemOf({ n, k }: ModelLayer): string | undefined {
  if (n % 8 === 0 && k % 16 === 0) return undefined
  return 'N is no multiple of 8 or K none of 16: the GPU cannot multiply it'
}
