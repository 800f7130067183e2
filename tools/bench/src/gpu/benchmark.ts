// From options to a GPU report: compiler, host, then every product beside its peers, in one run.

import { CudaDevice } from '@deepgemm/runtime/cuda'
import { Device, DeviceError, type GemmPlan } from 'deepgemm'
import type { BenchHost } from '../benchmark.js'
import { commit } from '../meta.js'
import { type GpuCase, rotation, touchedBytes } from './cases.js'
import { ReadFloor } from './floor.js'
import { measureHost } from './host-section.js'
import { measureJit } from './jit-section.js'
import { BenchKernels, benchCubin } from './kernels.js'
import { gpuState } from './meta.js'
import { SEEDS } from './operands.js'
import type { GpuOptions } from './options.js'
import { OurProduct, planFor } from './ours.js'
import { findPython, GpuPeers, peerProcess } from './peers.js'
import {
  COMPARED,
  type ContestantName,
  type GpuReport,
  type GpuRow,
  gpuRow,
  METHOD,
} from './report.js'
import { type Contestant, takeTurns } from './turns.js'

/** Measures what the options ask for. @throws {DeepGemmError} and the signal's reason. */
export async function gpuBenchmark(options: GpuOptions, host: BenchHost): Promise<GpuReport> {
  const start = performance.now()
  const { say, command } = host
  const peers = await startPeers(options)
  try {
    for (const reason of peers?.missing ?? []) say(`missing: ${reason}`)
    await using device = await openGpu()
    const jit = await measureJit(device, options.quick)
    const cubin = await benchCubin()
    const kernels = new BenchKernels(device, cubin)
    const hostTimes = await measureHost(kernels, cubin, say)
    const bandwidth = (await peers?.copyBandwidth()) ?? null
    const rows = await measureRows({ kernels, options, peers, host })
    const meta = {
      device: device.name,
      multiprocessors: device.properties.multiprocessors,
      ...(await gpuState()),
      copy_bandwidth_gbs: bandwidth,
      date: new Date().toISOString(),
      commit: options.commit ?? (await commit(['kernels', 'packages', 'tools/bench'])),
      command,
      node: process.versions.node,
      rounds: options.rounds,
      replays: options.replays,
      quick: options.quick,
      seconds: Math.round((performance.now() - start) / 1000),
      peers: peers?.versions ?? {},
      missing: peers?.missing ?? [],
      method: METHOD,
      compared: COMPARED,
    }
    return { meta, rows, jit, host: hostTimes }
  } finally {
    peers?.close()
  }
}

async function openGpu(): Promise<CudaDevice> {
  const device = await Device.open({ kind: 'cuda' })
  if (device instanceof CudaDevice) return device
  throw new DeviceError('This benchmark needs a GPU', { given: device.id, allowed: 'cuda' })
}

/** Undefined when none was asked for. */
async function startPeers({ peers, python }: GpuOptions): Promise<GpuPeers | undefined> {
  if (peers.length === 0) return undefined
  const file = python ?? findPython(process.env['PATH'])
  if (file !== undefined) return GpuPeers.start(peerProcess(file), peers)
  throw new DeviceError('The peers need Python', {
    given: 'no python3 on the PATH',
    allowed: 'a Python with PyTorch',
    remedy: 'Name it with --python, or measure without peers: --peers none.',
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
  using ours = await OurProduct.prepare(kernels, plan, item, turn)
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
