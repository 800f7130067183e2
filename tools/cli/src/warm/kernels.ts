// Which kernels the layers of a model need on a GPU, and why. Pure.

import { SM90_FAMILIES } from '@deepgemm/core/sm90'
import { gemmConfigs, gemmKernel } from '@deepgemm/dense/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import { moeLayerKernels } from '@deepgemm/moe/sm90'
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

export type WarmTarget = { readonly maxTokens: number; readonly multiprocessors: number }

/** What `quantize` reads activations from. */
const ACTIVATIONS = ['bf16', 'f32'] as const

/**
 * The kernels that `planGemm` with `m.max` = `maxTokens` loads for each layer, those that `MoeLayer`
 * with that `maxTokens` loads, and the casts.
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
  const { name, n, k } = layer
  const problem = problemOf(layer)
  const specs = problem === undefined ? layerKernels(layer, target) : []
  for (const spec of specs) need(spec, name)
  const shape = `${n} x ${k}`
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
  { n, k }: ModelLayer,
  { maxTokens, multiprocessors }: WarmTarget,
): readonly DeviceKernelSpec[] {
  const family = SM90_FAMILIES.find(isDefault) as (typeof SM90_FAMILIES)[number]
  const range = { family, n, k, m: { min: 1, max: maxTokens } }
  return gemmConfigs(range, { multiprocessors }).map(gemmKernel)
}

/** What `planGemm` plans for unless it is told otherwise. */
function isDefault({ recipeB, out, accumulate }: (typeof SM90_FAMILIES)[number]): boolean {
  return recipeB === '128x128' && out === 'bf16' && !accumulate
}

function cast(source: SourceDType, blocks: 'rows' | 'squares'): DeviceKernelSpec {
  return castKernel({ target: 'sm_90a', source, blocks, transposed: false, aligned: true })
}

function problemOf({ n, k, experts }: ModelLayer): string | undefined {
  if (experts > 1) return 'a stack: its layout is not known; MoeLayer wants experts one by one'
  if (n % 8 === 0 && k % 16 === 0) return undefined
  return 'N is no multiple of 8 or K none of 16: the GPU cannot multiply it'
}
