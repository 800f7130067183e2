// Which kernels the layers of a model need on a GPU, and why. Pure.

import { SM90_FAMILIES } from '@deepgemm/core/sm90'
import { gemmConfigs, gemmKernel } from '@deepgemm/dense/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import { castKernel } from '@deepgemm/quant/sm90'
import type { ModelLayer } from './models.js'

export type WarmKernel = {
  readonly spec: DeviceKernelSpec
  /** What it is for: layers, or kinds of activations. */
  readonly reasons: readonly string[]
}

/** A layer with the number of kernels that serve it, or why there are none. */
type WarmLayer = ModelLayer & { readonly kernels: number; readonly problem?: string }

export type WarmPlan = {
  readonly kernels: readonly WarmKernel[]
  readonly layers: readonly WarmLayer[]
}

export type WarmTarget = { readonly maxTokens: number; readonly multiprocessors: number }

/** What `quantize` reads activations from. */
const ACTIVATIONS = ['bf16', 'f32'] as const

/** The kernels that `planGemm` with `m.max` = `maxTokens` loads for each layer, and the casts. */
export function planWarmUp(layers: readonly ModelLayer[], target: WarmTarget): WarmPlan {
  const needed = new Map<string, { spec: DeviceKernelSpec; reasons: string[] }>()
  const need = (spec: DeviceKernelSpec, reason: string): void => {
    const key = JSON.stringify(spec)
    const known = needed.get(key)
    if (known === undefined) needed.set(key, { spec, reasons: [reason] })
    else if (!known.reasons.includes(reason)) known.reasons.push(reason)
  }
  const planned = layers.map((layer): WarmLayer => {
    const problem = problemOf(layer)
    const specs = problem === undefined ? layerKernels(layer, target) : []
    for (const spec of specs) need(spec, layer.name)
    return { ...layer, kernels: specs.length, ...(problem === undefined ? {} : { problem }) }
  })
  if (needed.size > 0) for (const source of ACTIVATIONS) need(cast(source), `${source} activations`)
  return { kernels: [...needed.values()], layers: planned }
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

function cast(source: (typeof ACTIVATIONS)[number]): DeviceKernelSpec {
  const form = { blocks: 'rows', transposed: false, aligned: true } as const
  return castKernel({ target: 'sm_90a', source, ...form })
}

function problemOf({ n, k, experts }: ModelLayer): string | undefined {
  if (experts > 1) return 'grouped products run on the CPU in this version'
  if (n % 8 === 0 && k % 16 === 0) return undefined
  return 'N is no multiple of 8 or K none of 16: the GPU cannot multiply it'
}
