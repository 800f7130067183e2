import type { OutDType, Tensor } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import {
  createRandom,
  expectOutput,
  expectUntouched,
  normalArray,
  outputNumbers,
  poisonBytes,
  type Reference,
} from '@deepgemm/testing'

/** What an output is before the product is written to it. */
export type OutputSpec = {
  readonly dtype: OutDType
  /** [M, N] or [G, M, N] */
  readonly shape: readonly number[]
  /** Elements between the end of a row and the start of the next. */
  readonly gap: number
  /** Holds numbers to be added to instead of poison. */
  readonly accumulate: boolean
  readonly seed: number
}

/** An output whose rows lie among poison, and full of poison itself unless it is added to. */
export type StartedOutput = {
  readonly spec: OutputSpec
  readonly out: Tensor<OutDType>
  /** Numbers of each group as stored, when they are added to. */
  readonly start: readonly Float32Array[] | undefined
}

const width = (dtype: OutDType): number => (dtype === 'f32' ? 4 : 2)

export function startOutput(device: Device, spec: OutputSpec): StartedOutput {
  const { dtype, shape, gap, accumulate, seed } = spec
  const [cols, count] = [shape.at(-1) as number, shape.reduce((all, extent) => all * extent, 1)]
  const rows = shape.slice(0, -1).reduce((all, extent) => all * extent, 1)
  const bytes = poisonBytes(dtype, rows * (cols + gap))
  const numbers = accumulate ? normalArray(createRandom(seed), count, 100) : undefined
  const stored = numbers && storedBytes(numbers, dtype)
  if (stored) {
    const [from, to] = [cols * width(dtype), (cols + gap) * width(dtype)]
    for (let row = 0; row < rows; row++) {
      bytes.set(stored.subarray(row * from, (row + 1) * from), row * to)
    }
  }
  const typed = dtype === 'f32' ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer)
  const whole = device.tensor(typed, { dtype, shape: [...shape.slice(0, -1), cols + gap] })
  return {
    spec,
    out: whole.slice(shape.length - 1, 0, cols),
    start: stored && split(outputNumbers(stored, dtype), spec),
  }
}

/** Expects every element of every group written and close, and the gaps untouched. */
export async function expectProducts(
  { spec, out }: StartedOutput,
  expected: readonly Reference[],
): Promise<void> {
  const { dtype, gap } = spec
  const all = await out.toBytes()
  const size = expected.length === 0 ? 0 : all.length / expected.length
  expected.forEach((reference, group) => {
    expectOutput(all.subarray(group * size, (group + 1) * size), reference, { out: dtype })
  })
  if (gap === 0) return
  const stored = await out.storage.read(0, out.storage.byteLength)
  const [cols, stride] = [spec.shape.at(-1) as number, (spec.shape.at(-1) as number) + gap]
  const bytesOf = (from: number, count: number): Uint8Array =>
    stored.subarray(from * width(dtype), (from + count) * width(dtype))
  for (let at = cols; at < stored.length / width(dtype); at += stride) {
    expectUntouched(bytesOf(at, gap), { dtype, cols: gap })
  }
}

/** f32 numbers in the stored form of the dtype; bf16 by truncation, which is a bf16 as well. */
function storedBytes(numbers: Float32Array<ArrayBuffer>, dtype: OutDType): Uint8Array {
  if (dtype === 'f32') return new Uint8Array(numbers.buffer)
  const words = new Uint32Array(numbers.buffer)
  return new Uint8Array(Uint16Array.from(words, (word) => word >>> 16).buffer)
}

function split(numbers: Float32Array, { shape }: OutputSpec): Float32Array[] {
  const groups = shape.length === 3 ? (shape[0] as number) : 1
  const size = groups === 0 ? 0 : numbers.length / groups
  return Array.from({ length: groups }, (_, g) => numbers.subarray(g * size, (g + 1) * size))
}
