// From options to a report of dense products: compiler, host, then every product beside its peers.

import type { GemmPlan } from 'deepgemm'
import type { BenchHost } from '../benchmark.js'
import { type GpuCase, rotation, touchedBytes } from './cases.js'
import { ReadFloor } from './floor.js'
import { measureHost } from './host-section.js'
import { measureJit } from './jit-section.js'
import { BenchKernels, benchCubin } from './kernels.js'
import { SEEDS } from './operands.js'
import type { GpuOptions } from './options.js'
import { captureProduct, planFor } from './ours.js'
import type { GpuPeers } from './peers.js'
import { COMPARED, type GpuReport, METHOD } from './report.js'
import { type ContestantName, type GpuRow, gpuRow } from './rows.js'
import { withGpu } from './session.js'
import { type Contestant, takeTurns } from './turns.js'

/** Measures what the options ask for. @throws {DeepGemmError} and the signal's reason. */
export function gpuBenchmark(options: GpuOptions, host: BenchHost): Promise<GpuReport> {
  return withGpu(options, host, async ({ device, peers, meta }) => {
    const jit = await measureJit(device, options.quick)
    const cubin = await benchCubin()
    const kernels = new BenchKernels(device, cubin)
    const hostTimes = await measureHost(kernels, cubin, host.say)
    const rows = await measureRows({ kernels, options, peers, host })
    return {
      meta: await meta({ method: METHOD, compared: COMPARED }),
      rows,
      jit,
      host: hostTimes,
    }
  })
}

type Measuring = {
  readonly kernels: BenchKernels
  readonly options: GpuOptions
  readonly peers: GpuPeers | undefined
  readonly host: BenchHost
}

/** Weights after weights, so that a plan and a floor serve all rows with the same. */
async function measureRows(measuring: Measuring): Promise<GpuRow[]> {
  const { kernels, options, host } = measuring
  const weights = new Map<string, GpuCase[]>()
  for (const item of options.cases) {
    const key = `${item.problem} ${item.n} ${item.k}`
    weights.set(key, [...(weights.get(key) ?? []), item])
  }
  const rows: GpuRow[] = []
  for (const cases of weights.values()) {
    const { problem, n, k } = cases[0] as GpuCase
    const plan = await planFor(kernels, cases)
    using floor = problem === 'dense' ? new ReadFloor(kernels, n * k) : undefined
    for (const item of cases) {
      const row = await measureRow(measuring, plan, floor, item)
      rows.push(row)
      host.say(`[${rows.length}/${options.cases.length}] ${described(row)}`)
    }
  }
  return rows
}

async function measureRow(
  { kernels, options, peers, host }: Measuring,
  plan: GemmPlan,
  floor: ReadFloor | undefined,
  item: GpuCase,
): Promise<GpuRow> {
  const turn = rotation(touchedBytes(item))
  using ours = await captureProduct(kernels, plan, item, turn)
  const contestants: Contestant<ContestantName>[] = [
    { name: 'ours', times: (replays) => ours.times(replays) },
    ...((await peers?.prepare('prepare', { ...item, ...turn, seeds: SEEDS })) ?? []),
  ]
  if (floor) contestants.push({ name: 'floor', times: (replays) => floor.times(replays) })
  const { rounds, replays } = options
  const samples = await takeTurns(contestants, { rounds, replays, signal: host.signal })
  return gpuRow(item, samples, ours)
}

function described(row: GpuRow): string {
  const times = [
    `ours ${row.ours_us}`,
    `deepgemm ${row.deepgemm_us ?? '-'}`,
    `cublaslt ${row.cublaslt_block_us ?? '-'}`,
    `floor ${row.weight_read_floor_us ?? '-'} us`,
  ].join(', ')
  return `${row.problem} ${row.m}x${row.n}x${row.k}: ${times}, error ${row.max_error}, ${row.config}`
}
