// The suite on a CPU: ours and the peers take turns, beside the limits of the machine.

import type { Device } from 'deepgemm'
import { compileLimits, Limits } from '../../native/limits.js'
import { COLD_BYTES } from '../../operands.js'
import { findOneDnn } from '../../peers/onednn.js'
import { findOnnxRuntime } from '../../peers/onnxruntime.js'
import type { Peer, PeerLibrary } from '../../peers/peer.js'
import { type Contestant, measureRounds } from '../../plan/rounds.js'
import { ONEDNN, ONEDNN_PACKED, ONNXRUNTIME, READ } from '../../report.js'
import type { DeviceFacts, SuiteBench, SuiteSettings } from '../bench.js'
import { caseFlops, caseText, type SuiteCase, weightBytes } from '../problem.js'
import { type Ceilings, type ContestantInfo, type Figures, OURS, type SuiteRow } from '../result.js'
import { ourProduct } from './products.js'

export const CPU_PEERS = ['onnxruntime', 'onednn'] as const

/** What the libraries' contestants compute with. */
const OPERANDS = { [ONNXRUNTIME]: 'f32', [ONEDNN]: 'bf16', [ONEDNN_PACKED]: 'bf16' } as const

const METHOD =
  'One sample of every contestant per round, 15 ms apart, in an order that changes from round to ' +
  'round; work below 20 ms runs once unmeasured and then three times. Copies of 128 MB of weights ' +
  'in total take turns, so that weights are cold. Ours: plan.run() to the end of await ' +
  'synchronize(). Peers run in processes of their own, with the same number of threads. Ratios ' +
  'are medians over rounds. Errors: up to 256 elements all over the product against float64.'

/** Roughly what a core does: for the time left. */
const [FLOPS_PER_THREAD, BYTES_PER_SECOND, SECONDS_PER_SAMPLE] = [60e9, 8e9, 0.02] as const

type Open = { readonly device: Device; readonly limits: Limits | undefined; readonly peers: Peer[] }

export class CpuBench implements SuiteBench {
  readonly facts: DeviceFacts
  readonly contestants: Readonly<Record<string, ContestantInfo>>
  readonly missing: string[]
  readonly #settings: SuiteSettings
  readonly #open: Open

  private constructor(
    settings: SuiteSettings,
    open: Open,
    libraries: readonly PeerLibrary[],
    missing: string[],
  ) {
    const { name, architecture, parallelism } = open.device
    this.facts = {
      ...{ device: name, kind: 'cpu', architecture, parallelism },
      ...{ driver: null, clocks: null, method: METHOD },
    }
    this.contestants = contestantsOf(libraries)
    this.missing = missing
    this.#settings = settings
    this.#open = open
  }

  /** Takes the device over. Peers and limits that cannot be had are missing, and said so. */
  static async open(device: Device, settings: SuiteSettings): Promise<CpuBench> {
    const missing: string[] = []
    const { found, absent } = await findLibraries(settings.peers)
    missing.push(...absent)
    const limits = await openLimits(device.parallelism, missing)
    const peers = found.map((library) => library.open(device.parallelism))
    return new CpuBench(settings, { device, limits, peers }, found, missing)
  }

  expectedSeconds(item: SuiteCase): number {
    const threads = this.facts.parallelism
    const compute = caseFlops(item) / (FLOPS_PER_THREAD * threads)
    const once = Math.max(compute, weightBytes(item) / BYTES_PER_SECOND)
    const contestants = Object.keys(this.contestants).length + 1
    const samples = contestants * (this.#settings.rounds + 1)
    return samples * (SECONDS_PER_SAMPLE + (once < 0.02 ? 4 : 1) * once) + weightBytes(item) / 1e8
  }

  async ceilings(): Promise<Ceilings> {
    const { limits, device } = this.#open
    const [reads, peaks]: [number[], number[]] = [[], []]
    for (let round = 0; limits !== undefined && round < this.#settings.rounds; round++) {
      this.#settings.signal.throwIfAborted()
      reads.push(figure((await limits.readBandwidth()) / 1e9))
      const peak = await limits.peak(device.architecture)
      if (peak > 0) peaks.push(figure(peak / 1e9))
    }
    const label = `multiply-add of ${device.architecture}`
    return { read_gbs: reads, peaks: peaks.length === 0 ? [] : [{ label, gflops: peaks }] }
  }

  async measure(item: SuiteCase): Promise<SuiteRow> {
    const { device, limits, peers } = this.#open
    const ours = await ourProduct(device, item)
    try {
      const contestants: Contestant[] = [ours]
      const errors = new Map([[OURS, ours.error]])
      for (const peer of item.problem === 'dense' ? peers : []) {
        contestants.push(...(await this.#prepared(peer, item, errors)))
      }
      if (limits !== undefined) contestants.push(readContestant(limits, item))
      const { rounds, signal } = this.#settings
      const samples = await measureRounds(contestants, { rounds, signal })
      const floor = samples.get(READ) ?? []
      samples.delete(READ)
      return {
        ...item,
        config: device.architecture,
        figures: await figuresOf(samples, errors),
        floor_us: floor.map(microseconds),
      }
    } finally {
      ours.dispose()
    }
  }

  /** A peer that refuses a product is told, not hidden. */
  async #prepared(peer: Peer, item: SuiteCase, errors: Map<string, () => Promise<number>>) {
    try {
      const contestants = await peer.prepare(item, COLD_BYTES)
      for (const { name } of contestants) errors.set(name, () => peer.error(name))
      return contestants
    } catch (error) {
      this.missing.push(`${caseText(item)}: ${(error as Error).message}`)
      return []
    }
  }

  async close(): Promise<void> {
    for (const peer of this.#open.peers) peer.close()
    this.#open.limits?.close()
    await this.#open.device.dispose()
  }
}

function readContestant(limits: Limits, item: SuiteCase): Contestant {
  return { name: READ, run: async () => weightBytes(item) / (await limits.readBandwidth()) }
}

async function figuresOf(
  samples: ReadonlyMap<string, readonly number[]>,
  errors: ReadonlyMap<string, () => Promise<number>>,
): Promise<Record<string, Figures>> {
  const figures: Record<string, Figures> = {}
  for (const [name, seconds] of samples) {
    const error = (await errors.get(name)?.()) ?? Number.NaN
    figures[name] = {
      us: seconds.map(microseconds),
      error: Number.isFinite(error) ? Number(error.toPrecision(3)) : null,
    }
  }
  return figures
}

function contestantsOf(libraries: readonly PeerLibrary[]): Record<string, ContestantInfo> {
  const infos: Record<string, ContestantInfo> = {
    [OURS]: { label: 'ours', version: '', operands: 'e4m3, block scales' },
  }
  for (const { contestants, version } of libraries) {
    for (const name of contestants) {
      infos[name] = { label: name, version, operands: OPERANDS[name as keyof typeof OPERANDS] }
    }
  }
  return infos
}

type Found = { readonly found: PeerLibrary[]; readonly absent: string[] }

async function findLibraries(names: readonly string[]): Promise<Found> {
  const [found, absent]: [PeerLibrary[], string[]] = [[], []]
  const finders = {
    onnxruntime: ['npm install onnxruntime-node', findOnnxRuntime],
    onednn: ['apt-get install libdnnl-dev, or the headers of your system', findOneDnn],
  } as const
  for (const name of CPU_PEERS.filter((peer) => names.includes(peer))) {
    const [remedy, find] = finders[name]
    try {
      const library = await find()
      if (library === undefined) absent.push(`${name} is not installed (${remedy})`)
      else found.push(library)
    } catch (error) {
      absent.push(`${name}: ${(error as Error).message}`)
    }
  }
  return { found, absent }
}

async function openLimits(threads: number, missing: string[]): Promise<Limits | undefined> {
  try {
    return new Limits(await compileLimits(), threads)
  } catch (error) {
    missing.push(`the limits of the machine: ${(error as Error).message}`)
    return undefined
  }
}

function microseconds(seconds: number): number {
  return figure(Math.max(seconds * 1e6, 1e-3))
}

/** As many digits as samples deserve. */
function figure(value: number): number {
  return Number(value.toPrecision(5))
}
