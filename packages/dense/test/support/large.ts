// Random large products, and what is looked at in their results.

import type { OutDType, Tensor } from '@deepgemm/core'
import { fp8GemmNT } from '@deepgemm/dense'
import type { Device } from '@deepgemm/runtime'
import {
  createRandom,
  expectClose,
  gamma,
  globalError,
  poisonBytes,
  type Random,
  referenceGemm,
} from '@deepgemm/testing'
import { expect } from 'vitest'
import type { OperandPool, PooledOperand } from './pools.js'
import { placeOperand } from './pools.js'
import { accumulationOf } from './products.js'

export type LargeCase = {
  readonly a: PooledOperand
  readonly b: PooledOperand
  readonly out: OutDType
  readonly accumulate: boolean
  /** Elements between the rows of the output. */
  readonly gap: number
  readonly random: Random
}

export type Pools = { readonly a: OperandPool; readonly b: OperandPool }

/** The operands, and their magnitudes. */
export type LargePools = { readonly signed: Pools; readonly magnitudes: Pools }

/** Half of the extents evenly, half evenly in their logarithm: small ones matter as well. */
function extent(
  random: Random,
  [least, most]: readonly [number, number],
  multipleOf: number,
): number {
  const x =
    random.uniform() < 0.4
      ? least + random.uniform() * (most - least)
      : least * (most / least) ** random.uniform()
  return Math.max(least, Math.floor(x / multipleOf) * multipleOf)
}

/** Legal products: M 1 to 5000, N 16 to 9000, K 16 to 17000, every output and recipe. */
export function largeCase(seed: number, pools: Pools): LargeCase {
  const random = createRandom(seed)
  const [m, n] = [extent(random, [1, 5000], 1), extent(random, [16, 9000], 8)]
  const k = extent(random, [16, 17_000], 16)
  const recipe = random.uniform() < 0.6 ? ('128x128' as const) : ('1x128' as const)
  return {
    a: placeOperand(random, pools.a, { rows: m, k, recipe: '1x128' }),
    b: placeOperand(random, pools.b, { rows: n, k, recipe }),
    out: random.uniform() < 0.5 ? 'bf16' : 'f32',
    accumulate: random.uniform() < 0.3,
    gap: 8 * random.integer(0, 2),
    random,
  }
}

/** An output's rows in the order of its memory, the gaps between them included. */
export type LargeResult = { readonly stored: Uint32Array | Uint16Array; readonly stride: number }

const POISON = { f32: 0x7fd5_a5d5, bf16: 0x7fd5 } as const
/** Numbers that outputs start with when products are added to them: 1 to 2, in both formats. */
const START = {
  f32: (i: number) => 0x3f80_0000 + (i % 127) * 0x1_0000,
  bf16: (i: number) => 0x3f80 + (i % 127),
}

function startLarge(device: Device, { a, b, out, accumulate, gap }: LargeCase): Tensor<OutDType> {
  const [rows, stride] = [a.rows, b.rows + gap]
  const bytes = poisonBytes(out, rows * stride)
  const cells = out === 'f32' ? new Uint32Array(bytes.buffer) : new Uint16Array(bytes.buffer)
  if (accumulate) {
    for (let row = 0; row < rows; row++) {
      for (let i = row * stride; i < row * stride + b.rows; i++) cells[i] = START[out](i)
    }
  }
  const typed = out === 'f32' ? new Float32Array(bytes.buffer) : (cells as Uint16Array<ArrayBuffer>)
  const whole = device.tensor(typed, { dtype: out, shape: [rows, stride], label: 'large output' })
  return whole.slice(1, 0, b.rows)
}

export async function runLarge(
  device: Device,
  spec: LargeCase,
  pools: Pools,
): Promise<LargeResult> {
  using out = startLarge(device, spec)
  const [a, b] = [pools.a.operand(device, spec.a), pools.b.operand(device, spec.b)]
  await fp8GemmNT(a, b, { out, accumulate: spec.accumulate })
  const { buffer } = await out.storage.read(0, out.storage.byteLength)
  const stored = spec.out === 'f32' ? new Uint32Array(buffer) : new Uint16Array(buffer)
  return { stored, stride: spec.b.rows + spec.gap }
}

/** Every element written (unless numbers were there before), every gap left alone. */
export function expectWritten({ stored, stride }: LargeResult, spec: LargeCase): void {
  const poison = POISON[spec.out]
  const cols = spec.b.rows
  let [unwritten, spilled] = [0, 0]
  for (let row = 0; row < spec.a.rows; row++) {
    const start = row * stride
    for (let i = start; i < start + cols; i++) if (stored[i] === poison) unwritten++
    for (let i = start + cols; i < start + stride; i++) if (stored[i] !== poison) spilled++
  }
  expect({ unwritten, spilled }).toEqual({ unwritten: 0, spilled: 0 })
}

const word = new Uint32Array(1)
const single = new Float32Array(word.buffer)

function numberAt(
  { stored, stride }: LargeResult,
  out: OutDType,
  row: number,
  col: number,
): number {
  const bits = stored[row * stride + col] as number
  word[0] = out === 'f32' ? bits : bits << 16
  return single[0] as number
}

function startAt(spec: LargeCase, row: number, col: number): number {
  if (!spec.accumulate) return 0
  const bits = START[spec.out](row * (spec.b.rows + spec.gap) + col)
  word[0] = spec.out === 'f32' ? bits : bits << 16
  return single[0] as number
}

/** Some elements against float64, each within its own proven bound. */
export function expectSampled(result: LargeResult, spec: LargeCase, pools: Pools): void {
  const sample = (extentOf: number, count: number): number[] => {
    const inner = Array.from({ length: count }, () => spec.random.integer(0, extentOf - 1))
    return [...new Set([0, extentOf - 1, ...inner])]
  }
  const [rows, cols] = [sample(spec.a.rows, 2), sample(spec.b.rows, 30)]
  const at = (read: (row: number, col: number) => number): Float64Array =>
    Float64Array.from({ length: rows.length * cols.length }, (_, i) =>
      read(rows[Math.floor(i / cols.length)] as number, cols[i % cols.length] as number),
    )
  const reference = referenceGemm({
    a: pools.a.rows(spec.a, rows),
    b: pools.b.rows(spec.b, cols),
    c: at((row, col) => startAt(spec, row, col)),
    ...accumulationOf('cuda'),
  })
  expectClose(
    at((row, col) => numberAt(result, spec.out, row, col)),
    reference,
    { out: spec.out },
  )
}

/**
 * A row of every 64, in all its columns, against the CPU: each tile of the GPU is looked at. Each
 * element lies within the bound that accumulation on tensor cores has, given the sum of the
 * magnitudes that it is made of; besides, the global metric.
 */
export async function expectEveryTile(
  cpu: Device,
  result: LargeResult,
  spec: LargeCase,
  pools: LargePools,
): Promise<void> {
  const rows = Array.from({ length: Math.ceil(spec.a.rows / 64) }, (_, block) =>
    Math.min(spec.a.rows - 1, block * 64 + spec.random.integer(0, 63)),
  )
  const product = await cpuRows(cpu, spec, pools.signed, rows)
  const magnitudes = await cpuRows(cpu, spec, pools.magnitudes, rows)
  const cols = spec.b.rows
  const [actual, expected] = [new Float64Array(product.length), new Float64Array(product.length)]
  const relative = boundOf(spec)
  const outside: string[] = []
  rows.forEach((row, r) => {
    for (let col = 0; col < cols; col++) {
      const i = r * cols + col
      const start = startAt(spec, row, col)
      actual[i] = numberAt(result, spec.out, row, col)
      expected[i] = (product[i] as number) + start
      const bound = relative * ((magnitudes[i] as number) + Math.abs(start))
      const rounding = spec.out === 'bf16' ? 2 ** -8 * Math.abs(expected[i] as number) : 0
      const off = Math.abs((actual[i] as number) - (expected[i] as number))
      if (!(off <= bound + rounding))
        outside.push(`row ${row}, column ${col}: ${actual[i]} for ${expected[i]}`)
    }
  })
  expect(outside.slice(0, 5)).toEqual([])
  expect(globalError(actual, expected)).toBeLessThan(1e-5)
}

/** 128 additions that keep 13 bits, and one in f32 per block; the CPU's own are far below. */
function boundOf({ a: { k } }: LargeCase): number {
  return gamma(Math.min(k, 128), 2 ** -13) + 2 * gamma(Math.ceil(k / 128) + 4)
}

async function cpuRows(
  cpu: Device,
  spec: LargeCase,
  pools: Pools,
  rows: readonly number[],
): Promise<Float32Array> {
  const { QuantizedTensor, Scales } = await import('@deepgemm/core')
  const operand = pools.a.rows(spec.a, rows)
  const kBlocks = Math.ceil(spec.a.k / 128)
  const grid = Float32Array.from({ length: rows.length * kBlocks }, (_, i) =>
    operand.scale(Math.floor(i / kBlocks), i % kBlocks),
  )
  const codes = operand.codes as Uint8Array<ArrayBuffer>
  using a = new QuantizedTensor(
    cpu.tensor(codes, { dtype: 'e4m3', shape: [rows.length, spec.a.k] }),
    new Scales(cpu.tensor(grid, { dtype: 'f32', shape: [rows.length, kBlocks] }), {
      recipe: '1x128',
      orientation: 'k-major',
    }),
  )
  using d = await fp8GemmNT(a, pools.b.operand(cpu, spec.b), { outDType: 'f32' })
  return await d.toFloat32Array()
}
