// Operands of random large products, as views of memory that is made and uploaded once.

import { QuantizedTensor, type Recipe, roundUp, Scales, Tensor } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import {
  createRandom,
  type Operand,
  type Random,
  randomCodes,
  randomScales,
} from '@deepgemm/testing'

/** Prime, so that rows of no length repeat where the memory does. */
const CODES_PERIOD = 15_999_989

/** Narrow enough that no row or column outweighs all others in the global metric. */
const EXPONENTS = { min: -6, max: 6 } as const

/** Codes and scales for one operand, on the host and on every device that was asked for them. */
export class OperandPool {
  readonly codes: Uint8Array<ArrayBuffer>
  readonly scales: Float32Array<ArrayBuffer>
  readonly #onDevice = new Map<Device, { values: Tensor; scales: Tensor }>()

  constructor(seed: number, codes: number, scales: number) {
    const random = createRandom(seed)
    const period = randomCodes(random, Math.min(codes, CODES_PERIOD))
    this.codes = new Uint8Array(codes)
    for (let at = 0; at < codes; at += period.length) {
      this.codes.set(period.subarray(0, Math.min(period.length, codes - at)), at)
    }
    this.scales = randomScales(random, scales, { exponents: EXPONENTS })
  }

  /** The same scales, and the codes of the magnitudes. */
  magnitudes(): OperandPool {
    const pool = new OperandPool(0, 0, 0)
    return Object.assign(pool, {
      codes: this.codes.map((code) => code & 0x7f),
      scales: this.scales,
    })
  }

  /** The views of `place` on `device`. */
  operand(device: Device, place: PooledOperand): QuantizedTensor {
    const { values, scales } = this.#upload(device)
    const { rows, k, recipe } = place
    const valuesView = new Tensor(values.storage, {
      dtype: 'e4m3',
      shape: [rows, k],
      strides: [place.rowBytes, 1],
      byteOffset: place.firstCode,
    })
    const kBlocks = Math.ceil(k / 128)
    const vectors = recipe === '1x128'
    const scalesView = new Tensor(scales.storage, {
      dtype: 'f32',
      shape: vectors ? [kBlocks, roundUp(rows, 4)] : [Math.ceil(rows / 128), kBlocks],
      byteOffset: 4 * place.firstScale,
    })
    const orientation = vectors ? 'mn-major' : 'k-major'
    return new QuantizedTensor(valuesView, new Scales(scalesView, { recipe, orientation }))
  }

  /** Some rows of `place`, as the oracle reads them. */
  rows(place: PooledOperand, rows: readonly number[]): Operand {
    const { k, rowBytes, firstCode, firstScale, recipe } = place
    const codes = new Uint8Array(rows.length * k)
    rows.forEach((row, i) => {
      const start = firstCode + row * rowBytes
      codes.set(this.codes.subarray(start, start + k), i * k)
    })
    const [kBlocks, padded] = [Math.ceil(k / 128), roundUp(place.rows, 4)]
    const scale = (i: number, kBlock: number): number => {
      const row = rows[i] as number
      const at =
        recipe === '1x128' ? kBlock * padded + row : Math.floor(row / 128) * kBlocks + kBlock
      return this.scales[firstScale + at] as number
    }
    return { rows: rows.length, k, codes, scale }
  }

  dispose(): void {
    for (const tensors of this.#onDevice.values()) {
      tensors.values.dispose()
      tensors.scales.dispose()
    }
  }

  #upload(device: Device): { values: Tensor; scales: Tensor } {
    const known = this.#onDevice.get(device)
    if (known !== undefined) return known
    const [ofCodes, ofScales] = [
      { dtype: 'e4m3', shape: [this.codes.length], label: 'pool of codes' } as const,
      { dtype: 'f32', shape: [this.scales.length], label: 'pool of scales' } as const,
    ]
    const made =
      device.kind === 'cpu'
        ? { values: device.wrap(this.codes, ofCodes), scales: device.wrap(this.scales, ofScales) }
        : {
            values: device.tensor(this.codes, ofCodes),
            scales: device.tensor(this.scales, ofScales),
          }
    this.#onDevice.set(device, made)
    return made
  }
}

/** Where an operand [rows, K] lies in its pool; in bytes and elements. */
export type PooledOperand = {
  readonly rows: number
  readonly k: number
  readonly recipe: Recipe
  readonly rowBytes: number
  readonly firstCode: number
  readonly firstScale: number
}

/** A random place for an operand, its rows apart by up to 64 bytes more than they need. */
export function placeOperand(
  random: Random,
  pool: OperandPool,
  { rows, k, recipe }: Pick<PooledOperand, 'rows' | 'k' | 'recipe'>,
): PooledOperand {
  const wide = k + 16 * random.integer(0, 4)
  const rowBytes = (rows - 1) * wide + k <= pool.codes.length ? wide : k
  const spare = pool.codes.length - ((rows - 1) * rowBytes + k)
  const kBlocks = Math.ceil(k / 128)
  const vectors = recipe === '1x128'
  const used = kBlocks * (vectors ? roundUp(rows, 4) : Math.ceil(rows / 128))
  const step = vectors ? 4 : 1
  return {
    ...{ rows, k, recipe, rowBytes },
    firstCode: 16 * random.integer(0, Math.floor(spare / 16)),
    firstScale: step * random.integer(0, Math.floor((pool.scales.length - used) / step)),
  }
}
