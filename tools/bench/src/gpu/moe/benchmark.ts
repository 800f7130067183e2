// From options to a report of grouped products beside DeepGEMM's.

import type { GroupLayout } from '@deepgemm/core'
import { type GroupedGemmPlan, planGroupedGemm } from 'deepgemm'
import type { BenchHost } from '../../benchmark.js'
import { Captured } from '../captured.js'
import { type Rotation, rotation } from '../cases.js'
import { BenchKernels, benchCubin } from '../kernels.js'
import { SEEDS } from '../operands.js'
import type { LayerPeerName, MoeOptions } from '../options.js'
import { configOf } from '../ours.js'
import type { ContestantName } from '../rows.js'
import { type GpuSession, withGpu } from '../session.js'
import { type Contestant, takeTurns } from '../turns.js'
import { type GroupedLayout, groupedBytes, type LayerCase, laidOut, type MoeCase } from './cases.js'
import { LayerBench, layerRuns } from './layer.js'
import { groupedSet, groupedViews } from './operands.js'
import {
  type LayerRow,
  MOE_COMPARED,
  MOE_METHOD,
  type MoeReport,
  type MoeRow,
  moeRow,
} from './report.js'

/** Measures what the options ask for. @throws {DeepGemmError} and the signal's reason. */
export function moeBenchmark(options: MoeOptions, host: BenchHost): Promise<MoeReport> {
  return withGpu(options, host, async (session) => {
    const kernels = new BenchKernels(session.device, await benchCubin())
    const measuring = { session, kernels, options, host }
    const rows: (MoeRow | LayerRow)[] = []
    const total = options.cases.length + options.layers.length
    const add = (row: MoeRow | LayerRow): void => {
      rows.push(row)
      host.say(`[${rows.length}/${total}] ${described(row)}`)
    }
    for (const item of options.cases) add(await measureRow(measuring, item))
    await measureLayers(measuring, add)
    return { meta: await session.meta({ method: MOE_METHOD, compared: MOE_COMPARED }), rows }
  })
}

type Measuring = {
  readonly session: GpuSession
  readonly kernels: BenchKernels
  readonly options: MoeOptions
  readonly host: BenchHost
}

async function measureRow(
  { session, kernels, options, host }: Measuring,
  item: MoeCase,
): Promise<MoeRow> {
  const layout = laidOut(item)
  const turn = rotation(groupedBytes(item))
  using ours = await captureGrouped(kernels, item, layout, turn)
  const { sizes, m } = layout
  const request = { ...item, m, sizes, ...turn, seeds: SEEDS }
  const contestants: Contestant<ContestantName>[] = [
    { name: 'ours', times: (replays) => ours.times(replays) },
    ...((await session.peers?.prepare('prepare_grouped', request)) ?? []),
  ]
  const { rounds, replays } = options
  return moeRow(item, await takeTurns(contestants, { rounds, replays, signal: host.signal }), ours)
}

/** Layers of the same weights are one layer, made once. */
async function measureLayers(
  { session, kernels, options, host }: Measuring,
  add: (row: LayerRow) => void,
): Promise<void> {
  const layers = new Map<string, LayerCase[]>()
  for (const item of options.layers) {
    const key = `${item.groups} ${item.n} ${item.k}`
    layers.set(key, [...(layers.get(key) ?? []), item])
  }
  for (const cases of layers.values()) {
    using bench = await LayerBench.create(kernels, cases)
    const { rounds, replays } = options
    for (const item of cases) {
      const request = { ...item, ...layerRuns(item) }
      const peers = await session.peers?.prepare<LayerPeerName>('prepare_layer', request)
      add(await bench.measure(item, peers ?? [], { rounds, replays, signal: host.signal }))
    }
  }
}

/** A plan, its runs captured into a graph. @throws {DeepGemmError} */
async function captureGrouped(
  kernels: BenchKernels,
  item: MoeCase,
  layout: GroupedLayout,
  { copies, launches }: Rotation,
): Promise<Captured> {
  const plan: GroupedGemmPlan<GroupLayout> = await planGroupedGemm(kernels.device, {
    ...{ layout: item.problem, groups: item.groups, n: item.n, k: layout.k, m: { max: layout.m } },
    ...(item.problem === 'masked' ? { expectedM: item.expected_m } : {}),
    accumulate: item.problem === 'k-grouped',
  })
  return Captured.prepare(kernels, {
    sets: Array.from({ length: copies }, () => groupedSet(kernels, item, layout)),
    launches,
    // Nothing writes the sizes of the groups between the products.
    run: ({ a, b, out, groups }, stream) =>
      plan.run({ a, b, out, groups, stream, groupsReady: true }),
    views: (set) => groupedViews(item, layout, set),
    nameOf: (notes) => configOf(plan.configs, notes),
  })
}

function described(row: MoeRow | LayerRow): string {
  const product = `${row.problem} ${row.groups}x${row.expected_m}, ${row.n}x${row.k}`
  if (row.problem === 'layer') {
    const peers = `PyTorch ${row.torch_us ?? '-'}, Triton ${row.triton_us ?? '-'}`
    const own = `ours ${row.ours_us}, parts ${row.parts_us}, floor ${row.floor_us ?? '-'}`
    return `${product}: ${own}, ${peers} us`
  }
  const peers = `deepgemm ${row.deepgemm_us ?? '-'}, cublaslt ${row.cublaslt_us ?? '-'}`
  const times = `ours ${row.ours_us}, ${peers} us`
  return `${product}: ${times}, error ${row.max_error}, ${row.config}`
}
