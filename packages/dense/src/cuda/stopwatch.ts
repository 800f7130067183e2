// Times kernels as a model runs them: back to back, every product with weights that are not in the
// GPU's caches.

import {
  denseProblem,
  elementCount,
  QuantizedTensor,
  type Recipe,
  Scales,
  type Shape,
  scaleGrid,
  scaleShape,
  Tensor,
} from '@deepgemm/core'
import type { Sm90Choice, Sm90Config } from '@deepgemm/core/sm90'
import type { CudaDevice, CudaGraph, CudaKernel, CudaStream } from '@deepgemm/runtime/cuda'
import type { GemmRange } from '../backend.js'
import { gemmArguments, gemmGeometry, type KernelCall } from './arguments.js'
import { groupOf } from './operands.js'
import type { TuningCase } from './tuning.js'
import { GemmWorkspace } from './workspace.js'

/** What a timing takes at least: microseconds as predicted, and launches. */
const LEAST_TIME = 300
const LEAST_LAUNCHES = 3
/** Timings of each candidate, in turns with the others. */
const ROUNDS = 5
/** Weights beyond this are zeros instead of random codes: those come from the host. */
const MOST_RANDOM_BYTES = 2 ** 28
const MOST_COPIES = 64

/** Operands for the products of a range, and a stream to time them on. Hold no other work meanwhile. */
export class Stopwatch implements Disposable {
  readonly #range: GemmRange
  readonly #kernels: ReadonlyMap<Sm90Config, CudaKernel>
  readonly #stream: CudaStream
  readonly #workspace: GemmWorkspace
  readonly #activations: QuantizedTensor
  /** Copies, together twice what L2 holds: [copies, N, K]. */
  readonly #weights: QuantizedTensor
  readonly #out: Tensor

  /** @throws {CudaMemoryError} */
  constructor(device: CudaDevice, range: GemmRange, kernels: ReadonlyMap<Sm90Config, CudaKernel>) {
    const { m, n, k, recipeB, out } = range
    const { l2Bytes, multiprocessors } = device.properties
    this.#range = range
    this.#kernels = kernels
    this.#stream = device.createStream('tuning')
    this.#workspace = new GemmWorkspace(range, [...kernels.keys()], multiprocessors)
    const copies = Math.min(MOST_COPIES, Math.max(2, Math.ceil((2 * l2Bytes) / (n * k))))
    this.#weights = operand(device, [copies, n, k], recipeB)
    this.#activations = operand(device, [m.max, k], '1x128')
    this.#out = device.empty({ dtype: out, shape: [m.max, n], label: 'tuning output' })
  }

  /** Microseconds of one product of the case under each choice of its shortlist. */
  async time({ m, shortlist }: TuningCase): Promise<readonly number[]> {
    using rows = new RowsOf(this.#activations, m)
    const graphs = shortlist.map((choice) => this.#capture(choice, rows.operand))
    try {
      const times: number[][] = graphs.map(() => [])
      for (const { graph } of graphs) graph.launch(this.#stream)
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, captured] of graphs.entries()) times[i]?.push(await this.#run(captured))
      }
      return times.map(median)
    } finally {
      for (const { graph } of graphs) graph.dispose()
    }
  }

  /** Frees everything once what was enqueued has run. */
  [Symbol.dispose](): void {
    for (const owned of [this.#weights, this.#activations, this.#out]) owned.dispose()
    this.#stream.dispose()
  }

  /** Products of one case under one choice, each with other weights than the one before. */
  #capture(choice: Sm90Choice, a: QuantizedTensor): Captured {
    const { n, out, accumulate } = this.#range
    const copies = this.#weights.shape[0] as number
    const wanted = Math.ceil(LEAST_TIME / choice.microseconds)
    const launches = Math.max(LEAST_LAUNCHES, Math.min(wanted, copies))
    const kernel = this.#kernels.get(choice.config) as CudaKernel
    const partials = this.#workspace.partialSums(this.#stream, choice.schedule)
    const d = new Tensor(this.#out.storage, { dtype: out, shape: [a.shape[0] as number, n] })
    const prepared = Array.from({ length: launches }, (_, i) => {
      const b = groupOf(this.#weights, i % copies)
      const problem = denseProblem('NT', a, b, { out, accumulate })
      const call: KernelCall = { problem, a, b, out: d, weightsReady: true }
      return kernel.prepare(gemmArguments(choice, call, partials), gemmGeometry(choice))
    })
    const graph = this.#stream.device.capture((stream) => {
      for (const launch of prepared) launch.run(stream)
    })
    return { graph, launches }
  }

  async #run({ graph, launches }: Captured): Promise<number> {
    using begin = this.#stream.record({ timing: true })
    graph.launch(this.#stream)
    using end = this.#stream.record({ timing: true })
    return (1000 * (await end.elapsedSince(begin))) / launches
  }
}

type Captured = { readonly graph: CudaGraph; readonly launches: number }

/** The first rows of activations, with scales of their own: those of fewer rows lie otherwise. */
class RowsOf implements Disposable {
  readonly operand: QuantizedTensor

  constructor({ values, device }: QuantizedTensor, rows: number) {
    const shape = [rows, values.shape[1] as number] as const
    const view = new Tensor(values.storage, { dtype: 'e4m3', shape })
    this.operand = new QuantizedTensor(view, scalesOf(device as CudaDevice, shape, '1x128'))
  }

  [Symbol.dispose](): void {
    this.operand.scales.tensor.dispose()
  }
}

function operand(device: CudaDevice, shape: Shape, recipe: Recipe): QuantizedTensor {
  const spec = { dtype: 'e4m3', shape, label: 'tuning values' } as const
  const bytes = elementCount(shape)
  const values =
    bytes > MOST_RANDOM_BYTES ? device.zeros(spec) : device.tensor(randomCodes(bytes), spec)
  return new QuantizedTensor(values, scalesOf(device, shape, recipe))
}

/** Scales that are all alike, in the form that kernels read. */
function scalesOf(device: CudaDevice, shape: Shape, recipe: Recipe): Scales {
  const orientation = recipe === '1x128' ? 'mn-major' : 'k-major'
  const [rows, columns] = [shape.at(-2) as number, shape.at(-1) as number]
  const grid = scaleShape(scaleGrid(recipe, rows, columns), orientation)
  const full = [...shape.slice(0, -2), ...grid]
  const data = new Float32Array(elementCount(full)).fill(2 ** -6)
  const tensor = device.tensor(data, { dtype: 'f32', shape: full, label: 'tuning scales' })
  return new Scales(tensor, { recipe, orientation })
}

/** What zeros would not show: a GPU that multiplies random numbers draws more power, and slows down. */
function randomCodes(bytes: number): Uint8Array<ArrayBuffer> {
  const codes = new Uint8Array(bytes)
  const block = codes.subarray(0, Math.min(bytes, 2 ** 20))
  let state = 1
  for (let i = 0; i < block.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    // Both signs, magnitudes up to 1.875, no NaN.
    codes[i] = (state >>> 24) & 0xbf
  }
  for (let at = block.length; at < bytes; at *= 2) codes.copyWithin(at, 0, Math.min(at, bytes - at))
  return codes
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0
}
