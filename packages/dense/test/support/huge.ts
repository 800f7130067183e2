// Operands with more elements than 32 bits count, filled on the device from a smaller host array.

import { QuantizedTensor, roundUp, Scales } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { createRandom, type Operand, randomCodes, randomScales } from '@deepgemm/testing'

export type HugeSpec = {
  readonly rows: number
  readonly k: number
  readonly recipe: '1x128' | '128x128'
  readonly seed: number
}

/** Prime: no power of two of rows, or of bytes, meets the same codes again. */
const PERIOD_ROWS = 10_007

/** An operand on the device, and the rows of it that the oracle wants. */
export class HugeOperand {
  readonly operand: QuantizedTensor
  readonly #spec: HugeSpec
  readonly #codes: Uint8Array<ArrayBuffer>
  readonly #scales: Float32Array<ArrayBuffer>

  private constructor(
    spec: HugeSpec,
    operand: QuantizedTensor,
    codes: Uint8Array<ArrayBuffer>,
    scales: Float32Array<ArrayBuffer>,
  ) {
    this.#spec = spec
    this.operand = operand
    this.#codes = codes
    this.#scales = scales
  }

  static async make(device: Device, spec: HugeSpec): Promise<HugeOperand> {
    const { rows, k, recipe, seed } = spec
    const random = createRandom(seed)
    const codes = randomCodes(random, Math.min(rows, PERIOD_ROWS) * k)
    const kBlocks = Math.ceil(k / 128)
    const shape =
      recipe === '1x128' ? [kBlocks, roundUp(rows, 4)] : [Math.ceil(rows / 128), kBlocks]
    const scales = randomScales(random, (shape[0] as number) * (shape[1] as number))
    const values = device.zeros({ dtype: 'e4m3', shape: [rows, k], label: 'huge operand' })
    for (let at = 0; at < rows * k; at += codes.length) {
      await values.storage.write(at, codes.subarray(0, Math.min(codes.length, rows * k - at)))
    }
    const orientation = recipe === '1x128' ? 'mn-major' : 'k-major'
    const grid = new Scales(device.tensor(scales, { dtype: 'f32', shape }), { recipe, orientation })
    return new HugeOperand(spec, new QuantizedTensor(values, grid), codes, scales)
  }

  /** Some rows, in that order. */
  rows(rows: readonly number[]): Operand {
    const { k, recipe } = this.#spec
    const codes = new Uint8Array(rows.length * k)
    rows.forEach((row, i) => {
      const start = (row % PERIOD_ROWS) * k
      codes.set(this.#codes.subarray(start, start + k), i * k)
    })
    const [kBlocks, padded] = [Math.ceil(k / 128), roundUp(this.#spec.rows, 4)]
    const scale = (i: number, kBlock: number): number => {
      const row = rows[i] as number
      const at =
        recipe === '1x128' ? kBlock * padded + row : Math.floor(row / 128) * kBlocks + kBlock
      return this.#scales[at] as number
    }
    return { rows: rows.length, k, codes, scale }
  }

  dispose(): void {
    this.operand.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
