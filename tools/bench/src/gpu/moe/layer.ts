// The fused layer beside its two grouped products and the reading of the weights it touches.

import { allocateQuantized } from '@deepgemm/runtime'
import type { CudaGraph } from '@deepgemm/runtime/cuda'
import {
  MoeLayer,
  packedOffsets,
  planGroupedGemm,
  type QuantizedTensor,
  type Tensor,
} from 'deepgemm'
import { median } from '../../stats.js'
import { ReadFloor } from '../floor.js'
import type { BenchKernels } from '../kernels.js'
import { disposeAll, SEEDS } from '../operands.js'
import type { LayerPeerName } from '../options.js'
import { replayTimes, workTimes } from '../times.js'
import { type Contestant, type TurnOptions, takeTurns } from '../turns.js'
import type { LayerCase } from './cases.js'
import { type LayerRow, layerRow } from './report.js'
import { type Routing, randomRouting } from './routing.js'

const TOP_K = 8
/** Batches of at most so many tokens go the way of decoding, through the masked layout. */
const DECODE_TOKENS = 16
/** Routings that runs take in turn, so that small batches touch other experts each time. */
const ROUTINGS = 4
const RUNS = 20
const MANY_TOKENS = 1000
/** Longer than the host needs to enqueue all runs. */
const PAUSE_NANOSECONDS = 10_000_000
/** Reading the weights is measured where it is the bound. */
const MOST_FLOOR_TOKENS = DECODE_TOKENS

type Weights = { readonly gateUp: QuantizedTensor; readonly down: QuantizedTensor }

/** How peers run the layer of a case: as ours, and less often where a run takes milliseconds. */
export function layerRuns({ groups, expected_m }: LayerCase): { top_k: number; launches: number } {
  return { top_k: Math.min(TOP_K, groups), launches: expected_m > MANY_TOKENS ? ROUTINGS : RUNS }
}

/** A layer for cases that differ in their tokens alone. */
export class LayerBench implements Disposable {
  readonly #kernels: BenchKernels
  readonly #weights: Weights
  readonly #layer: MoeLayer

  private constructor(kernels: BenchKernels, weights: Weights, layer: MoeLayer) {
    this.#kernels = kernels
    this.#weights = weights
    this.#layer = layer
  }

  /** @throws {DeepGemmError} */
  static async create(kernels: BenchKernels, cases: readonly LayerCase[]): Promise<LayerBench> {
    const { groups, n: hidden, k: intermediate } = cases[0] as LayerCase
    const maxTokens = Math.max(...cases.map(({ expected_m }) => expected_m))
    const weights = {
      gateUp: weight(kernels, [groups, 2 * intermediate, hidden]),
      down: weight(kernels, [groups, hidden, intermediate]),
    }
    const layer = await MoeLayer.create(kernels.device, {
      ...{ experts: weights, topK: Math.min(TOP_K, groups) },
      ...{ maxTokens, maxDecodeTokens: Math.min(DECODE_TOKENS, maxTokens) },
    })
    return new LayerBench(kernels, weights, layer)
  }

  async measure(
    item: LayerCase,
    peers: readonly Contestant<LayerPeerName>[],
    options: TurnOptions,
  ): Promise<LayerRow> {
    const { groups, expected_m: tokens } = item
    const routings = Array.from({ length: ROUTINGS }, (_, i) =>
      randomRouting(tokens, groups, this.#layer.topK, i + 1),
    )
    using run = this.#runs(item, routings)
    using first = await this.#product(this.#weights.gateUp, item, routings)
    using second = await this.#product(this.#weights.down, item, routings)
    const touched = touchedExperts(routings)
    using floor =
      tokens <= MOST_FLOOR_TOKENS
        ? new ReadFloor(this.#kernels, touched * bytesPerExpert(this.#weights))
        : undefined
    const contestants: Contestant<'ours' | 'first' | 'second' | 'floor' | LayerPeerName>[] = [
      { name: 'ours', times: (replays) => run.times(replays) },
      { name: 'first', times: (replays) => first.times(replays) },
      { name: 'second', times: (replays) => second.times(replays) },
      ...peers,
    ]
    if (floor) contestants.push({ name: 'floor', times: (replays) => floor.times(replays) })
    const samples = await takeTurns(contestants, options)
    const parts = median(samples.first ?? []) + median(samples.second ?? [])
    return layerRow(item, touched, { ...samples, parts })
  }

  [Symbol.dispose](): void {
    this.#layer.dispose()
    disposeAll([this.#weights.gateUp, this.#weights.down])
  }

  /** Runs of the whole layer, routings in turn. */
  #runs({ groups, n, expected_m: tokens }: LayerCase, routings: readonly Routing[]) {
    const { device } = this.#kernels
    const x = device.zeros({ dtype: 'bf16', shape: [tokens, n], label: 'tokens' })
    const out = device.zeros({ dtype: 'bf16', shape: [tokens, n], label: 'result' })
    this.#kernels.fillBf16(x, SEEDS.a)
    const logits = routings.map((routing) =>
      device.tensor(routing.logits, { dtype: 'f32', shape: [tokens, groups], label: 'logits' }),
    )
    const enqueue = (): void => {
      for (let i = 0; i < RUNS; i++) {
        const { stream } = this.#kernels
        this.#layer.run(x, { logits: logits[i % ROUTINGS] as Tensor, out, stream })
      }
    }
    return {
      times: async (replays: number): Promise<number[]> => {
        const timing = { replays, pauseNanoseconds: PAUSE_NANOSECONDS }
        const times = await workTimes(this.#kernels, enqueue, timing)
        return times.map((time) => time / RUNS)
      },
      [Symbol.dispose]: () => disposeAll([x, out, ...logits]),
    }
  }

  /** One of the layer's grouped products alone, in the layout that the layer takes. */
  async #product(b: QuantizedTensor, item: LayerCase, routings: readonly Routing[]) {
    const { device } = this.#kernels
    const [groups, n, k] = b.shape as readonly [number, number, number]
    const tokens = item.expected_m
    const rows = tokens * this.#layer.topK
    const isMasked = tokens <= this.#layer.maxDecodeTokens
    const plan = await planGroupedGemm(device, {
      ...{ layout: isMasked ? 'masked' : 'packed', groups, n, k },
      ...{ m: { max: isMasked ? tokens : rows }, expectedM: Math.ceil(rows / groups) },
    })
    const lead = isMasked ? [groups, tokens] : [rows]
    using a = allocateQuantized(device, { shape: [...lead, k], recipe: '1x128', label: 'rows' })
    this.#kernels.fillOperand(a, SEEDS.a, SEEDS.aScales)
    using out = device.zeros({ dtype: 'bf16', shape: [...lead, n], label: 'products' })
    const indices = routings.map(({ counts }) => {
      const data = Int32Array.from(isMasked ? counts : packedOffsets(counts))
      return device.tensor(data, { dtype: 'i32', shape: [data.length], label: 'groups' })
    })
    const graph = device.capture((stream) => {
      for (let i = 0; i < RUNS; i++) {
        plan.run({ a, b, out, groups: indices[i % ROUTINGS] as Tensor<'i32'>, stream })
      }
    })
    disposeAll(indices)
    return captured(this.#kernels, graph)
  }
}

function captured(kernels: BenchKernels, graph: CudaGraph) {
  return {
    times: (replays: number) => replayTimes(kernels, graph, { launches: RUNS, replays }),
    [Symbol.dispose]: () => graph.dispose(),
  }
}

function weight(kernels: BenchKernels, shape: readonly number[]): QuantizedTensor {
  const made = allocateQuantized(kernels.device, { shape, recipe: '128x128', label: 'experts' })
  kernels.fillOperand(made, SEEDS.b, SEEDS.bScales)
  return made
}

/** Experts that a run needs, on average over the routings. */
function touchedExperts(routings: readonly Routing[]): number {
  const touched = routings.map(({ counts }) => counts.filter((count) => count > 0).length)
  return Math.round(touched.reduce((sum, count) => sum + count, 0) / routings.length)
}

function bytesPerExpert({ gateUp, down }: Weights): number {
  const experts = gateUp.shape[0] as number
  return (gateUp.values.byteLength + down.values.byteLength) / experts
}
