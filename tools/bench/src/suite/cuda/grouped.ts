// Grouped products of the suite: the contiguous layout, as prefill and training have it.

import { planGroupedGemm } from 'deepgemm'
import { Captured } from '../../gpu/captured.js'
import type { Rotation } from '../../gpu/cases.js'
import type { BenchKernels } from '../../gpu/kernels.js'
import { laidOut, type MoeCase } from '../../gpu/moe/cases.js'
import { groupedSet, groupedViews } from '../../gpu/moe/operands.js'
import { configOf } from '../../gpu/ours.js'
import type { SuiteCase } from '../problem.js'

/** A plan, its runs captured into a graph. @throws {DeepGemmError} */
export async function captureGrouped(
  kernels: BenchKernels,
  item: SuiteCase,
  { copies, launches }: Rotation,
): Promise<Captured> {
  const moe = moeCase(item)
  const layout = laidOut(moe)
  const { groups, n, k } = item
  const plan = await planGroupedGemm(kernels.device, {
    ...{ layout: 'contiguous', groups, n, k, m: { max: layout.m } },
  })
  return Captured.prepare(kernels, {
    sets: Array.from({ length: copies }, () => groupedSet(kernels, moe, layout)),
    launches,
    run: ({ a, b, out, groups: data }, stream) =>
      plan.run({ a, b, out, groups: data, stream } as Parameters<typeof plan.run>[0]),
    views: (set) => groupedViews(moe, layout, set),
    nameOf: (notes) => configOf(plan.configs, notes),
  })
}

/** What the peers are told. */
export function groupedRequest(item: SuiteCase): object {
  const moe = moeCase(item)
  const { sizes, m } = laidOut(moe)
  return { ...moe, m, sizes }
}

function moeCase({ groups, m, n, k }: SuiteCase): MoeCase {
  return { problem: 'contiguous', groups, expected_m: m, n, k }
}
