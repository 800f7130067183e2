import type { OutDType, Tensor } from '@deepgemm/core'
import { fp8GemmNT } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  createRandom,
  type ExponentRange,
  expectClose,
  type HostQuantized,
  outputNumbers,
  randomQuantized,
  referenceGemm,
  upload,
} from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HugeOperand, type HugeSpec } from './support/huge.js'
import { expectProducts, startOutput } from './support/output.js'
import { accumulationOf, expectedProducts } from './support/products.js'

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')

/** From few tokens to several rounds of tiles: kernels of every kind, shared along K or not. */
const SHAPES = [
  [1, 264, 720],
  [24, 136, 4112],
  [130, 520, 272],
  [700, 264, 144],
] as const

const EXTREMES: readonly [string, ExponentRange, ExponentRange][] = [
  ['1e30 by 1e-30', { min: 90, max: 99 }, { min: -100, max: -10 }],
  ['1e-30 by 1e30', { min: -100, max: -90 }, { min: -20, max: 99 }],
  ['all magnitudes at once', { min: -100, max: 99 }, { min: -120, max: -6 }],
  ['products that are subnormal', { min: -75, max: -65 }, { min: -75, max: -60 }],
]

describe.skipIf(gpus.length === 0)('extreme products on a GPU', () => {
  let device: Device

  beforeAll(async () => {
    device = await Device.open({ kind: 'cuda' })
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  async function check(a: HostQuantized, b: HostQuantized, dtype: OutDType): Promise<void> {
    const [qa, qb] = [upload(device, a), upload(device, b)]
    const shape = [a.rows, b.rows]
    const started = startOutput(device, { dtype, shape, gap: 8, accumulate: false, seed: 1 })
    await fp8GemmNT(qa, qb, { out: started.out })
    await expectProducts(started, expectedProducts({ a, b }, undefined, 'cuda'))
    for (const owned of [qa, qb, started.out]) owned.dispose()
  }

  describe.each(EXTREMES)('with scales of %s', (_, ofA, ofB) => {
    it.each(SHAPES)('are right for %i x %i x %i', async (m, n, k) => {
      const a = randomQuantized(m, { rows: m, cols: k, recipe: '1x128', exponents: ofA })
      for (const recipe of ['128x128', '1x128'] as const) {
        const b = randomQuantized(n, { rows: n, cols: k, recipe, exponents: ofB })
        await check(a, b, 'f32')
        await check(a, b, 'bf16')
      }
    })
  })

  /** Operands whose partial sums are far from zero: their sign is certain. */
  function positive(seed: number, rows: number, k: number, recipe: '1x128' | '128x128') {
    const one = randomQuantized(seed, { rows, cols: k, recipe })
    return { ...one, codes: one.codes.map((code) => (code & 0x7f) % 0x7f || 1) }
  }

  it.each(SHAPES)(
    'of %i x %i x %i carry infinite and NaN scales, and NaN codes, no further than they belong',
    async (m, n, k) => {
      const random = createRandom(m)
      for (const recipe of ['128x128', '1x128'] as const) {
        for (const [where, poison] of [
          ['a', Number.POSITIVE_INFINITY],
          ['b', Number.POSITIVE_INFINITY],
          ['a', Number.NaN],
          ['b', Number.NaN],
        ] as const) {
          const host = { a: positive(m, m, k, '1x128'), b: positive(n, n, k, recipe) }
          const { grid } = host[where]
          grid[random.integer(0, grid.length - 1)] = poison
          await check(host.a, host.b, 'f32')
          if (Number.isNaN(poison)) {
            const { codes } = host[where]
            codes[random.integer(0, codes.length - 1)] = 0xff
            await check(host.a, host.b, 'bf16')
          }
        }
      }
    },
  )

  const HUGE: readonly [string, HugeSpec, HugeSpec, OutDType][] = [
    ['B', vectors(200, 7168), blocks(300_008, 7168), 'bf16'],
    ['A', vectors(300_008, 7168), blocks(136, 7168), 'f32'],
    ['a 1x128 B', vectors(24, 7168), { ...blocks(300_008, 7168), recipe: '1x128' }, 'f32'],
    ['D in bf16', vectors(48_000, 256), blocks(48_000, 256), 'bf16'],
    ['D in f32', vectors(48_000, 144), blocks(48_000, 144), 'f32'],
  ]

  it.each(HUGE)(
    'are right when %s has more than 2^31 elements',
    async (_, ofA, ofB, dtype) => {
      expect(Math.max(ofA.rows * ofA.k, ofB.rows * ofB.k, ofA.rows * ofB.rows)).toBeGreaterThan(
        2 ** 31,
      )
      using a = await HugeOperand.make(device, ofA)
      using b = await HugeOperand.make(device, ofB)
      using d = await fp8GemmNT(a.operand, b.operand, { outDType: dtype })
      const [rows, cols] = [places(ofA.rows, ofA.k), places(ofB.rows, ofB.k)]
      const reference = referenceGemm({
        a: a.rows(rows),
        b: b.rows(cols),
        ...accumulationOf('cuda'),
      })
      expectClose(await elements(d, dtype, rows, cols), reference, { out: dtype })
    },
    60_000,
  )
})

function vectors(rows: number, k: number): HugeSpec {
  return { rows, k, recipe: '1x128', seed: rows }
}

function blocks(rows: number, k: number): HugeSpec {
  return { rows, k, recipe: '128x128', seed: rows + 1 }
}

/** The ends, both sides of the element 2^31 of rows of `k`, and some between. */
function places(rows: number, k: number): number[] {
  const far = Math.floor(2 ** 31 / k)
  const random = createRandom(rows)
  const inner = Array.from({ length: 12 }, () => random.integer(0, rows - 1))
  const wanted = [0, 1, far - 1, far, far + 1, rows - 2, rows - 1, ...inner]
  return [...new Set(wanted)].filter((row) => row >= 0 && row < rows)
}

async function elements(
  d: Tensor,
  dtype: OutDType,
  rows: readonly number[],
  cols: readonly number[],
): Promise<Float64Array> {
  const rowBytes = (d.shape[1] as number) * (dtype === 'f32' ? 4 : 2)
  const lines: Float32Array[] = []
  for (const row of rows) {
    lines.push(outputNumbers(await d.storage.read(row * rowBytes, rowBytes), dtype))
  }
  return Float64Array.from({ length: rows.length * cols.length }, (_, i) => {
    const line = lines[Math.floor(i / cols.length)] as Float32Array
    return line[cols[i % cols.length] as number] as number
  })
}
