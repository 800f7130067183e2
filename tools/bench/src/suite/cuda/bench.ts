// The suite on a GPU: captured graphs of ours and of the peers take turns, beside the limits.

import type { CudaDevice } from '@deepgemm/runtime/cuda'
import type { GemmPlan } from 'deepgemm'
import { type GpuCase, rotation, touchedBytes } from '../../gpu/cases.js'
import { ReadFloor } from '../../gpu/floor.js'
import { BenchKernels, benchCubin } from '../../gpu/kernels.js'
import { gpuState } from '../../gpu/meta.js'
import { SEEDS } from '../../gpu/operands.js'
import { captureProduct, planFor } from '../../gpu/ours.js'
import type { GpuPeers } from '../../gpu/peers.js'
import type { Contestant } from '../../gpu/turns.js'
import { roundOrder } from '../../plan/rounds.js'
import { median } from '../../stats.js'
import type { DeviceFacts, SuiteBench, SuiteSettings } from '../bench.js'
import { caseBytes, caseFlops, type SuiteCase, weightBytes } from '../problem.js'
import { type Ceilings, type ContestantInfo, type Figures, OURS, type SuiteRow } from '../result.js'
import { measureCeilings } from './ceilings.js'
import { captureGrouped, groupedRequest } from './grouped.js'
import { contestantsOf, startPeers } from './peers.js'

/** Replays of a graph in each turn; a round's sample is their median. */
const REPLAYS = 5

const METHOD =
  'graph_rotating: CUDA graphs of at least 20 launches that rotate among copies of operands and ' +
  'outputs of more than 160 MB, so that weights are cold; a replay is timed with events behind a ' +
  `pause of 100 us and divided by the launches. Every contestant has ${REPLAYS} replays in every ` +
  'round, in an order that changes; a sample is their median, ratios are medians over rounds. ' +
  'Ours: planGemm or planGroupedGemm and plan.run of the public API. Peers run in a process of ' +
  'their own, on operands of the same bytes. Errors: every element against a sum in float64.'

/** Roughly: for the time left. */
const [FLOPS_PER_SECOND, BYTES_PER_SECOND, SECONDS_PER_ROW] = [6e14, 2e12, 1.5] as const

type Floor = { readonly bytes: number; readonly floor: ReadFloor }
type DensePlan = { readonly key: string; readonly plan: GemmPlan }
type Named = Contestant<string>

export class CudaBench implements SuiteBench {
  readonly facts: DeviceFacts
  readonly contestants: Readonly<Record<string, ContestantInfo>>
  readonly #settings: SuiteSettings
  readonly #device: CudaDevice
  readonly #kernels: BenchKernels
  readonly #peers: GpuPeers | undefined
  readonly #absent: readonly string[]
  #floor: Floor | undefined
  #plan: DensePlan | undefined

  private constructor(
    settings: SuiteSettings,
    device: CudaDevice,
    parts: {
      readonly kernels: BenchKernels
      readonly peers: GpuPeers | undefined
      readonly absent: readonly string[]
      readonly state: Pick<DeviceFacts, 'driver' | 'clocks'>
    },
  ) {
    this.facts = {
      ...{ device: device.name, kind: 'cuda', architecture: device.architecture },
      ...{ parallelism: device.properties.multiprocessors, ...parts.state, method: METHOD },
    }
    this.contestants = contestantsOf(parts.peers?.versions ?? {})
    this.#settings = settings
    this.#device = device
    this.#kernels = parts.kernels
    this.#peers = parts.peers
    this.#absent = parts.absent
  }

  /** Takes the device over. @throws {CompileError | CacheError | CudaError} */
  static async open(
    device: CudaDevice,
    settings: SuiteSettings,
    python: string | undefined,
  ): Promise<CudaBench> {
    const { peers, absent } = await startPeers(settings.peers, python)
    try {
      const kernels = new BenchKernels(device, await benchCubin())
      const state = await gpuState()
      return new CudaBench(settings, device, { kernels, peers, absent, state })
    } catch (error) {
      peers?.close()
      throw error
    }
  }

  get missing(): readonly string[] {
    return [...this.#absent, ...(this.#peers?.missing ?? [])]
  }

  expectedSeconds(item: SuiteCase): number {
    const once = Math.max(caseFlops(item) / FLOPS_PER_SECOND, caseBytes(item) / BYTES_PER_SECOND)
    const launches = 20 * (REPLAYS + 2) * this.#settings.rounds
    return SECONDS_PER_ROW + once * launches * (Object.keys(this.contestants).length + 1)
  }

  ceilings(): Promise<Ceilings> {
    return measureCeilings(this.#kernels, this.#settings)
  }

  async measure(item: SuiteCase): Promise<SuiteRow> {
    const isDense = item.problem === 'dense'
    const turn = rotation(isDense ? touchedBytes(gpuCase(item)) : caseBytes(item))
    using ours = isDense
      ? await captureProduct(this.#kernels, await this.#planFor(item), gpuCase(item), turn)
      : await captureGrouped(this.#kernels, item, turn)
    const request = isDense ? gpuCase(item) : groupedRequest(item)
    const verb = isDense ? 'prepare' : 'prepare_grouped'
    const peers = (await this.#peers?.prepare(verb, { ...request, ...turn, seeds: SEEDS })) ?? []
    const floor = this.#floorOf(weightBytes(item))
    const samples = await this.#samples(
      [{ name: OURS, times: (n) => ours.times(n) }, ...peers],
      floor,
    )
    const errors = new Map<string, number>(peers.map(({ name, error }) => [name, error]))
    errors.set(OURS, ours.error)
    const floorSamples = samples.get('') ?? []
    samples.delete('')
    return {
      ...item,
      config: ours.config,
      figures: figuresOf(samples, errors),
      floor_us: floorSamples,
    }
  }

  /** A sample of everybody per round; the floor's has no name. */
  async #samples(contestants: readonly Named[], floor: ReadFloor): Promise<Map<string, number[]>> {
    const { rounds, signal } = this.#settings
    const all: Named[] = [...contestants, { name: '', times: (replays) => floor.times(replays) }]
    const samples = new Map<string, number[]>(all.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const i of roundOrder(all.length, round)) {
        signal.throwIfAborted()
        const { name, times } = all[i] as Named
        const replays = await times(REPLAYS)
        if (replays.length > 0) samples.get(name)?.push(figure(median(replays)))
      }
    }
    signal.throwIfAborted() // Ctrl-C ends the peers as well: what they miss is no row
    return samples
  }

  /** One plan for all rows of the same weights. */
  async #planFor(item: SuiteCase): Promise<GemmPlan> {
    const key = `${item.n} ${item.k}`
    if (this.#plan?.key !== key) {
      const cases = this.#settings.set.cases.filter(
        ({ problem, n, k }) => problem === 'dense' && n === item.n && k === item.k,
      )
      this.#plan = { key, plan: await planFor(this.#kernels, [...cases, item].map(gpuCase)) }
    }
    return this.#plan.plan
  }

  #floorOf(bytes: number): ReadFloor {
    if (this.#floor?.bytes !== bytes) {
      this.#floor?.floor[Symbol.dispose]()
      this.#floor = undefined
      this.#floor = { bytes, floor: new ReadFloor(this.#kernels, bytes) }
    }
    return this.#floor.floor
  }

  async close(): Promise<void> {
    this.#peers?.close()
    this.#floor?.floor[Symbol.dispose]()
    await this.#device.dispose()
  }
}

function gpuCase({ m, n, k }: SuiteCase): GpuCase {
  return { problem: 'dense', m, n, k }
}

/** A peer that stopped answering has no figures. */
function figuresOf(
  samples: ReadonlyMap<string, readonly number[]>,
  errors: ReadonlyMap<string, number>,
): Record<string, Figures> {
  const figures: Record<string, Figures> = {}
  for (const [name, us] of samples) {
    if (us.length === 0) continue
    const error = errors.get(name) ?? Number.NaN
    figures[name] = { us, error: Number.isFinite(error) ? Number(error.toPrecision(3)) : null }
  }
  return figures
}

/** Nanoseconds are the finest that events tell. */
function figure(us: number): number {
  return Number(Math.max(us, 1e-3).toPrecision(5))
}
