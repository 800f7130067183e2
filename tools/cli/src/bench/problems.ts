// Which products a model's benchmark measures. Pure.

import type { ProblemSet, SuiteCase } from '@deepgemm/bench'
import type { ModelMoe, ModelProducts } from '../warm/models.js'

export type SetOptions = {
  /** Rows of activations, or tokens of a mixture of experts. */
  readonly rows: readonly number[]
  /** Experts of a grouped product at most: the share of one device. */
  readonly experts: number
  /** What the device cannot multiply is left out. */
  readonly takes: (item: SuiteCase) => boolean
}

/** Every layer with every number of rows, weights after weights. */
export function modelProblems(
  name: string,
  products: ModelProducts,
  { rows, experts, takes }: SetOptions,
): ProblemSet {
  const plain = products.layers.filter((layer) => layer.experts === 1)
  const cases = [
    ...plain.flatMap(({ name: layer, n, k }) => denseCases(layer, n, k, rows)),
    ...products.moe.flatMap((moe) => [
      ...sharedCases(moe, rows),
      ...expertCases(moe, rows, experts),
    ]),
  ]
  const { source } = products
  return { name, cases: cases.filter(takes), ...(source === undefined ? {} : { source }) }
}

export function denseCases(
  layer: string,
  n: number,
  k: number,
  rows: readonly number[],
): SuiteCase[] {
  return rows.map((m) => ({ layer, problem: 'dense', m, n, k, groups: 1 }))
}

/** The expert that every token goes to. */
function sharedCases({ shared, hidden }: ModelMoe, rows: readonly number[]): SuiteCase[] {
  if (shared === undefined) return []
  return [
    ...denseCases('shared expert: gate and up', 2 * shared, hidden, rows),
    ...denseCases('shared expert: down', hidden, shared, rows),
  ]
}

/** Where tokens are spread evenly; fewer tokens than give every expert a row are left out. */
function expertCases(
  { experts, topK, hidden, intermediate }: ModelMoe,
  rows: readonly number[],
  most: number,
): SuiteCase[] {
  const perExpert = [...new Set(rows.map((tokens) => Math.round((tokens * topK) / experts)))]
  const groups = Math.min(experts, most)
  const parts = [
    { part: 'gate and up', n: 2 * intermediate, k: hidden },
    { part: 'down', n: hidden, k: intermediate },
  ]
  return parts.flatMap(({ part, n, k }) =>
    perExpert
      .filter((m) => m >= 1)
      .map((m): SuiteCase => {
        const layer = `experts: ${part}`
        return { layer, problem: groups === 1 ? 'dense' : 'contiguous', m, n, k, groups }
      }),
  )
}

/** Without a model: a minute that shows what the machine does. */
export function firstLook(rows: readonly number[]): ProblemSet {
  return {
    name: 'a first look',
    source: 'an expert of DeepSeek-V3',
    cases: [
      ...denseCases('gate and up', 4096, 7168, rows),
      ...denseCases('down', 7168, 2048, rows),
    ],
  }
}

/** What Hopper kernels take; a CPU takes everything. */
export function takesOn(kind: string): (item: SuiteCase) => boolean {
  if (kind !== 'cuda') return () => true
  return ({ n, k }) => n % 8 === 0 && k % 16 === 0
}
