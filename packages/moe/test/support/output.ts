import type { OutDType, Tensor } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import {
  createRandom,
  expectOutput,
  normalArray,
  outputNumbers,
  poisonBytes,
  type Reference,
} from '@deepgemm/testing'

type Spec = {
  readonly out: OutDType
  readonly accumulate: boolean
  readonly shape: readonly number[]
  readonly seed: number
}

/** An output full of poison; with accumulation full of numbers `c` that are added to. */
export type StartedOutput = {
  readonly out: Tensor<OutDType>
  readonly c?: Float32Array
}

export async function startOutput(device: Device, spec: Spec): Promise<StartedOutput> {
  const { out: dtype, shape } = spec
  const count = shape.reduce((product, extent) => product * extent, 1)
  if (spec.accumulate) {
    const out = device.tensor(normalArray(createRandom(spec.seed), count, 100), { dtype, shape })
    return { out, c: outputNumbers(await out.toBytes(), dtype) }
  }
  const poison = poisonBytes(dtype, count).buffer
  const cells = dtype === 'f32' ? new Float32Array(poison) : new Uint16Array(poison)
  return { out: device.tensor(cells, { dtype, shape }) }
}

/**
 * Expects what the reference says. Rows that it leaves untouched must still hold what they started
 * with.
 */
export async function expectResult({ out, c }: StartedOutput, expected: Reference): Promise<void> {
  const bytes = await out.toBytes()
  if (c === undefined || expected.written === undefined) {
    expectOutput(bytes, expected, { out: out.dtype })
    return
  }
  const { rows, cols, values, bounds, written } = expected
  for (let row = 0; row < rows; row++) {
    if (written[row] === 1) continue
    values.set(c.subarray(row * cols, (row + 1) * cols), row * cols)
    bounds.fill(0, row * cols, (row + 1) * cols)
  }
  expectOutput(bytes, { rows, cols, values, bounds }, { out: out.dtype })
}
