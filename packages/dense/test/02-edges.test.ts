import type { ScaleDType } from '@deepgemm/core'
import { fp8GemmNT } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  createRandom,
  type ExponentRange,
  extents,
  type HostQuantized,
  randomQuantized,
  seeds,
  upload,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkProduct } from './support/check.js'
import { expectProducts, startOutput } from './support/output.js'
import { expectedProducts, FORMS, GEMMS, PLAIN, place } from './support/products.js'

type Shape = readonly [number, number, number]

const EDGES: readonly Shape[] = [
  [0, 5, 7],
  [5, 0, 7],
  [0, 0, 0],
  [1, 1, 1],
  [1, 300, 129],
  [300, 1, 127],
  [4, 3, 0],
]

const GPU_EDGES: readonly Shape[] = [
  [0, 8, 16],
  [5, 0, 16],
  [0, 0, 16],
  [4, 24, 0],
  [1, 8, 16],
  [1, 304, 144],
  [300, 8, 112],
  [65, 72, 1040],
]

type Pair = { a: HostQuantized; b: HostQuantized }

function pair(seed: number, [m, n, k]: Shape): Pair {
  return {
    a: randomQuantized(seed, { rows: m, cols: k, recipe: '1x128' }),
    b: randomQuantized(~seed, { rows: n, cols: k, recipe: '128x128' }),
  }
}

describe.each(await availableDevices(Device))('products on $kind at the edges', (gpuOrCpu) => {
  const { kind, open } = gpuOrCpu
  const isCpu = kind === 'cpu'
  /** What extents along N and K are multiples of. */
  const [ofN, ofK] = isCpu ? [1, 1] : [8, 16]
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  /** Runs one product into poison, or onto numbers, and compares it with the oracle. */
  async function check(host: Pair, dtype: 'f32' | 'bf16', accumulate = false): Promise<void> {
    const [m, n, k] = [host.a.rows, host.b.rows, host.a.cols]
    const spec = { ...host, m, n, k, out: dtype, accumulate, seed: 1 }
    for (const form of FORMS)
      await checkProduct(device, form, { spec, placement: PLAIN, gap: isCpu ? 2 : 8 })
  }

  it.each(isCpu ? EDGES : GPU_EDGES)('are right for M %i, N %i, K %i', async (m, n, k) => {
    for (const dtype of ['f32', 'bf16'] as const) {
      await check(pair(3, [m, n, k]), dtype)
      await check(pair(3, [m, n, k]), dtype, true)
    }
  })

  it('are zeros for K 0, and leave what they are added to', async () => {
    using a = upload(device, pair(1, [2, 2, 0]).a)
    using b = upload(device, pair(1, [2, 2, 0]).b)
    using out = device.tensor(Float32Array.of(1, 2, 3, 4), { dtype: 'f32', shape: [2, 2] })
    await fp8GemmNT(a, b, { out, accumulate: true })
    expect(await out.toFloat32Array()).toEqual(Float32Array.of(1, 2, 3, 4))
    await fp8GemmNT(a, b, { out })
    expect(await out.toFloat32Array()).toEqual(new Float32Array(4))
  })

  it('are empty for batches of none', async () => {
    using a = device.zeros({ dtype: 'e4m3', shape: [0, 3, 4] })
    const none = randomQuantized(1, { rows: 3, cols: 4, recipe: '1x128' })
    using whole = upload(device, [none], 'k-major')
    const first = whole.scales.tensor.slice(0, 0, 0)
    const { QuantizedTensor, Scales } = await import('@deepgemm/core')
    const operand = new QuantizedTensor(
      a,
      new Scales(first, { recipe: '1x128', orientation: 'k-major' }),
    )
    using empty = device.zeros({ dtype: 'bf16', shape: [0, 3, 3] })
    expect(await fp8GemmNT(operand, operand, { out: empty })).toBe(empty)
    expect(empty.size).toBe(0)
    whole.dispose()
  })

  it('stay within the bound of two-level accumulation for a long K', async () => {
    await check(pair(5, [3, 5 * ofN, 8192 + 80]), 'f32')
  })

  const extremes: readonly [string, ScaleDType, ExponentRange][] = [
    ['as quantize makes them for tiny blocks', 'f32', { min: -63, max: -50 }],
    ['so small that their product is subnormal', 'ue8m0', { min: -75, max: -60 }],
    ['so small that their product underflows', 'ue8m0', { min: -127, max: -90 }],
    ['far apart', 'f32', { min: -60, max: 45 }],
    ['so large that their product is nearly infinite', 'ue8m0', { min: 40, max: 48 }],
  ]

  it.each(extremes)('are right for scales %s', async (_, scaleDType, exponents) => {
    const cases = fc.record({
      m: extents({ max: 20 }),
      n: extents({ max: 20, multipleOf: ofN }),
      k: extents({ max: 300, multipleOf: ofK }),
      seed: seeds(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ m, n, k, seed }) => {
        const form = { cols: k, scaleDType, exponents }
        const a = randomQuantized(seed, { ...form, rows: m, recipe: '1x128' })
        const b = randomQuantized(~seed, { ...form, rows: n, recipe: '128x128' })
        const spec = { a, b, m, n, k, out: 'f32', accumulate: false, seed } as const
        await checkProduct(device, 'NT', { spec, placement: PLAIN, gap: 0 })
      }),
      { numRuns: isCpu ? 40 : 20 },
    )
  })

  it('overflow to infinity with the sign of the product', async () => {
    const grid = Float32Array.of(2 ** 63)
    const first = (count: number, code: number) =>
      Uint8Array.from({ length: count }, (_, i) => (i === 0 ? code : 0))
    const form = { cols: 16, scaleDType: 'f32', grid } as const
    const a = { ...form, rows: 1, recipe: '1x128', codes: first(16, 0x7e) } as const
    const b = { ...form, rows: 8, recipe: '128x128', codes: first(128, 0xfe) } as const
    await check({ a, b }, 'f32')
    await check({ a, b }, 'bf16')
    using qa = upload(device, a)
    using qb = upload(device, b)
    using d = await fp8GemmNT(qa, qb)
    const expected = [Number.NEGATIVE_INFINITY, 0, 0, 0, 0, 0, 0, 0]
    expect([...(await d.toFloat32Array())]).toEqual(expected)
  })

  it('carry NaN codes and NaN scales to the rows and columns they belong to, and no further', async () => {
    const cases = fc.record({
      m: extents({ max: 70 }),
      n: extents({ max: 140, multipleOf: ofN }),
      k: extents({ max: 300, multipleOf: ofK }),
      dtype: fc.constantFrom('f32' as const, 'bf16' as const),
      form: fc.constantFrom(...FORMS),
      where: fc.constantFrom('a', 'b', 'scale of a', 'scale of b'),
      seed: seeds(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ m, n, k, dtype, form, where, seed }) => {
        const host = pair(seed, [m, n, k])
        const random = createRandom(seed)
        const target = where.endsWith('a') ? host.a : host.b
        const { codes, grid } = target
        if (where.startsWith('scale')) grid[random.integer(0, grid.length - 1)] = Number.NaN
        else codes[random.integer(0, codes.length - 1)] = random.integer(0, 1) * 128 + 0x7f
        const { a, b } = place(device, host, form)
        const started = startOutput(device, {
          dtype,
          shape: [m, n],
          gap: 0,
          accumulate: false,
          seed,
        })
        await GEMMS[form](a, b, { out: started.out })
        await expectProducts(started, expectedProducts(host, undefined, kind))
        for (const owned of [a, b, started.out]) owned.dispose()
      }),
      { numRuns: isCpu ? 150 : 40 },
    )
  })
})
