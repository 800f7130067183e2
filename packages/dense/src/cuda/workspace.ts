// Memory that products need beside their operands. It belongs to the stream: the products on it run
// one after another and share it.

import {
  ceilDiv,
  QuantizedTensor,
  type Recipe,
  roundUp,
  Scales,
  scaleGrid,
  scaleShape,
  Tensor,
} from '@deepgemm/core'
import { mathWarpGroups, type Sm90Config, type Sm90Schedule } from '@deepgemm/core/sm90'
import type { CudaStream } from '@deepgemm/runtime/cuda'
import type { GemmRange } from '../backend.js'

/** Where tiles that are shared along K keep their partial sums; undefined when none are. */
export type PartialSums = { readonly partials: Tensor; readonly flags: Tensor } | undefined

type Label = 'GEMM partial sums' | 'GEMM flags' | `GEMM ${'values' | 'scales'} of ${'A' | 'B'}`

/** The workspace of a plan: at its largest from the first use on, so that runs allocate nothing. */
export class GemmWorkspace {
  readonly #bytes: Readonly<Record<Label, number>>
  readonly #certain: readonly Label[]

  constructor(range: GemmRange, configs: readonly Sm90Config[], multiprocessors: number) {
    const { form, m, n, k } = range
    const most = (of: (config: Sm90Config) => number): number => Math.max(...configs.map(of))
    const scaleBytes = (rows: number): number => 4 * ceilDiv(k, 128) * roundUp(rows, 4)
    this.#bytes = {
      // A block of each multiprocessor hands over one partial tile at most.
      'GEMM partial sums': 4 * multiprocessors * most((c) => c.blockLeft * c.blockRight),
      'GEMM flags': 4 * multiprocessors * most(mathWarpGroups),
      'GEMM values of A': m.max * k,
      'GEMM values of B': n * k,
      'GEMM scales of A': scaleBytes(m.max),
      'GEMM scales of B': scaleBytes(n),
    }
    const transposed = [...(form[0] === 'T' ? ['A'] : []), ...(form[1] === 'N' ? ['B'] : [])]
    this.#certain = [
      'GEMM partial sums',
      'GEMM flags',
      ...transposed.flatMap((of) => [`GEMM values of ${of}`, `GEMM scales of ${of}`] as Label[]),
    ]
  }

  /** Allocates on `stream` what products of this form use in any case. */
  reserve(stream: CudaStream): void {
    for (const label of this.#certain) this.#take(stream, label, 0)
  }

  partialSums(stream: CudaStream, schedule: Sm90Schedule): PartialSums {
    if (schedule.streamedTiles === 0) return undefined
    return {
      partials: this.#take(stream, 'GEMM partial sums', schedule.partialBytes),
      // Every launch leaves the flags zero, as the next one needs them.
      flags: this.#take(stream, 'GEMM flags', schedule.flagBytes),
    }
  }

  /** Room for an operand [rows, K] in the form that kernels read. */
  operand(
    stream: CudaStream,
    name: 'A' | 'B',
    shape: readonly [number, number],
    recipe: Recipe,
  ): QuantizedTensor {
    const memory = this.#take(stream, `GEMM values of ${name}`, shape[0] * shape[1])
    const values = new Tensor(memory.storage, { dtype: 'e4m3', shape })
    return new QuantizedTensor(values, this.scales(stream, name, shape, recipe))
  }

  /** Room for its scales alone. */
  scales(
    stream: CudaStream,
    name: 'A' | 'B',
    [rows, columns]: readonly [number, number],
    recipe: Recipe,
  ): Scales {
    const orientation = recipe === '1x128' ? 'mn-major' : 'k-major'
    const shape = scaleShape(scaleGrid(recipe, rows, columns), orientation)
    const bytes = 4 * (shape[0] as number) * (shape[1] as number)
    const { storage } = this.#take(stream, `GEMM scales of ${name}`, bytes)
    return new Scales(new Tensor(storage, { dtype: 'f32', shape }), { recipe, orientation })
  }

  #take(stream: CudaStream, label: Label, bytes: number): Tensor {
    return stream.workspace(label, Math.max(bytes, this.#bytes[label]))
  }
}
