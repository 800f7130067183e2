import { OptionError } from '@deepgemm/core'
import { fp8GemmNT, prepackWeights } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import { availableDevices, randomQuantized } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkProduct, placedCases } from './support/check.js'
import { FORMS, GEMMS, type HostOperands, place } from './support/products.js'

const HOST: HostOperands = {
  a: randomQuantized(11, { rows: 150, cols: 704, recipe: '1x128' }),
  b: randomQuantized(12, { rows: 336, cols: 704, recipe: '128x128' }),
}

async function bitsOf(device: Device, host: HostOperands, form: (typeof FORMS)[number] = 'NT') {
  const { a, b } = place(device, host, form)
  using out = await GEMMS[form](a, b, { outDType: 'f32' })
  const bytes = Buffer.from(await out.toBytes())
  a.dispose()
  b.dispose()
  return bytes
}

async function prepackedBitsOf(device: Device, host: HostOperands) {
  const { a, b } = place(device, host, 'NT')
  using packed = await prepackWeights(b)
  b.dispose()
  using out = await fp8GemmNT(a, packed, { outDType: 'f32' })
  a.dispose()
  return Buffer.from(await out.toBytes())
}

describe.each(await availableDevices(Device))('products on $kind are reproducible', ({ open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
  })

  it.each(FORMS)('%s gives the same bits in every run', async (form) => {
    const first = await bitsOf(device, HOST, form)
    for (let run = 0; run < 3; run++) {
      expect((await bitsOf(device, HOST, form)).equals(first)).toBe(true)
    }
  })

  it('all forms give the same bits', async () => {
    const first = await bitsOf(device, HOST, 'NT')
    for (const form of FORMS) expect((await bitsOf(device, HOST, form)).equals(first)).toBe(true)
  })
})

const CPU_ISAS = ['baseline', 'avx2', 'avx512', 'avx512_bf16', 'amx', 'neon']

/** The instruction sets that this build and machine have. */
async function usableIsas(): Promise<string[]> {
  const usable: string[] = []
  for (const isa of CPU_ISAS) {
    try {
      await using device = await Device.open({ kind: 'cpu', isa })
      usable.push(device.architecture)
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
    }
  }
  return usable
}

describe.each(await usableIsas())('products on the CPU with %s', (isa) => {
  it('give the same bits on 1, 2 and 5 threads', async () => {
    const results: Buffer[] = []
    for (const threads of [1, 2, 5]) {
      await using device = await Device.open({ kind: 'cpu', isa, threads })
      expect(device.parallelism).toBe(threads)
      results.push(await bitsOf(device, HOST))
    }
    expect(results.every((bytes) => bytes.equals(results[0] as Buffer))).toBe(true)
  })

  // One and two rows over plain weights add along K.
  it.each([
    ['three rows or more the same bits whatever rows are beside them', 3, false],
    ['a row the same bits whatever rows are beside it, with prepacked weights', 1, true],
  ])('give %s', async (_, rows, prepacked) => {
    await using device = await Device.open({ kind: 'cpu', isa })
    const { a } = HOST as { a: ReturnType<typeof randomQuantized> }
    const all = await bitsOf(device, HOST)
    for (const row of [0, 1, 77, 147]) {
      const alone = {
        ...a,
        rows,
        codes: a.codes.subarray(row * 704, (row + rows) * 704),
        grid: a.grid.subarray(row * 6, (row + rows) * 6),
      }
      const host = { a: alone, b: HOST.b }
      const bytes = await (prepacked ? prepackedBitsOf(device, host) : bitsOf(device, host))
      expect(bytes.equals(all.subarray(row * 336 * 4, (row + rows) * 336 * 4))).toBe(true)
    }
  })

  it('are the oracle’s', async () => {
    await using device = await Device.open({ kind: 'cpu', isa })
    const cases = fc.tuple(
      fc.constantFrom(...FORMS),
      placedCases({ maxM: 100, maxN: 100, maxK: 300 }),
    )
    await fc.assert(
      fc.asyncProperty(cases, ([form, placed]) => checkProduct(device, form, placed)),
      { numRuns: 100 },
    )
  })
})
