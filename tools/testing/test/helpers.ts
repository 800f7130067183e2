import {
  E4M3_VALUES,
  type HostQuantized,
  type MatrixSpec,
  type Operand,
  operandOf,
  randomQuantized,
} from '@deepgemm/testing'

/** A random [rows, k] operand. */
export function operand(
  seed: number,
  rows: number,
  k: number,
  spec: Partial<MatrixSpec> = {},
): Operand {
  return operandOf(randomQuantized(seed, { rows, cols: k, recipe: '1x128', ...spec }))
}

/** Two-level accumulation as a kernel does it: every step rounded to f32, in the given order of K. */
export function f32Product(a: Operand, b: Operand, order: 'up' | 'down' = 'up'): Float32Array {
  const out = new Float32Array(a.rows * b.rows)
  for (let i = 0; i < out.length; i++) {
    const [m, n] = [Math.floor(i / b.rows), i % b.rows]
    let sum = 0
    for (let block = 0; block * 128 < a.k; block++) {
      const partial = blockProduct(a, b, m, n, block, order)
      const scale = Math.fround(a.scale(m, block) * b.scale(n, block))
      sum = Math.fround(sum + Math.fround(partial * scale))
    }
    out[i] = sum
  }
  return out
}

function blockProduct(
  a: Operand,
  b: Operand,
  m: number,
  n: number,
  block: number,
  order: 'up' | 'down',
): number {
  const steps = Math.min(128, a.k - block * 128)
  let partial = 0
  for (let step = 0; step < steps; step++) {
    const k = block * 128 + (order === 'up' ? step : steps - 1 - step)
    const x = E4M3_VALUES[a.codes[m * a.k + k] as number] as number
    const y = E4M3_VALUES[b.codes[n * b.k + k] as number] as number
    partial = Math.fround(partial + x * y)
  }
  return partial
}

/** Rounds f32 numbers to bf16, ties to even, by integer arithmetic on their bits. */
export function toBf16(values: Float32Array): Float32Array {
  const words = new Uint32Array(values.slice().buffer)
  return new Float32Array(
    words.map((word) => ((word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000) >>> 0).buffer,
  )
}

/** Little-endian bytes of f32 numbers. */
export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** A quantised matrix from explicit codes and scales. */
export function matrix(
  [rows, cols]: [number, number],
  recipe: HostQuantized['recipe'],
  codes: number[],
  grid: number[],
): HostQuantized {
  return {
    rows,
    cols,
    recipe,
    scaleDType: 'f32',
    codes: Uint8Array.from(codes),
    grid: Float32Array.from(grid),
  }
}
