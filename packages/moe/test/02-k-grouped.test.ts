import { GroupError, ShapeError } from '@deepgemm/core'
import { groupedGemmKGrouped, quantizeKGrouped } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import { availableDevices, createRandom, normalArray, referenceQuantize } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  checkKGrouped,
  type KGroupedCase,
  kGroupedCases,
  kGroupedOperand,
} from './support/check-k-grouped.js'
import { expectError } from './support/errors.js'
import { limitsOf } from './support/grouped-cases.js'

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0)

describe.each(await availableDevices(Device))('a k-grouped product on $kind', (kind) => {
  const { runs: numRuns } = limitsOf(kind.kind)
  const cases = kGroupedCases(kind.kind)
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  const operand = (rows: number, spec: KGroupedCase, seed: number) =>
    kGroupedOperand(device, rows, spec, seed)

  it('multiplies each group over its own slice of K', async () => {
    // A slice of two columns, once beyond a bound that did not know how tensor cores add.
    const short = { sizes: [11, 2], m: 59, n: 64, seed: -1700609908 }
    const plain = { scaleDType: 'f32', out: 'f32', accumulate: false, onDevice: false } as const
    // More tiles than one along both operands, whichever the config.
    const wide = { sizes: [40, 0, 130], m: 300, n: 520, seed: 7 }
    const examples: [KGroupedCase][] = [[{ ...short, ...plain }], [{ ...wide, ...plain }]]
    await fc.assert(
      fc.asyncProperty(cases, (spec) => checkKGrouped(device, spec)),
      { numRuns, examples },
    )
  })

  it('is f32 unless told otherwise', async () => {
    const [spec] = fc.sample(cases, { seed: 1, numRuns: 1 }) as [KGroupedCase]
    const { tensor } = operand(8, spec, 1)
    const d = await groupedGemmKGrouped(tensor, tensor, Int32Array.from(spec.sizes))
    expect(d.dtype).toBe('f32')
  })

  it('refuses sizes on the device that have more blocks than there are scales', async () => {
    const spec: KGroupedCase = {
      ...(fc.sample(cases, { seed: 2, numRuns: 1 })[0] as KGroupedCase),
      sizes: [256],
    }
    const { tensor } = operand(8, spec, 1)
    const sizes = device.tensor(Int32Array.of(1, 1, 254), { dtype: 'i32', shape: [3] })
    const run = () => groupedGemmKGrouped(tensor, tensor, sizes)
    const words = kind.kind === 'cuda' ? ['groupSizes[2]', '254'] : ['4 blocks', 'at most 2']
    await expectError(run, GroupError, 'groupSizes', ...words)
  })

  it('refuses sizes beyond ΣK wherever they are', async () => {
    const spec: KGroupedCase = {
      ...(fc.sample(cases, { seed: 2, numRuns: 1 })[0] as KGroupedCase),
      sizes: [256],
    }
    const { tensor } = operand(8, spec, 1)
    const sizes = Int32Array.of(128, 129)
    const onDevice = device.tensor(sizes, { dtype: 'i32', shape: [2] })
    for (const groups of [sizes, onDevice]) {
      const run = () => groupedGemmKGrouped(tensor, tensor, groups)
      await expectError(run, GroupError, 'groupSizes[1]', '129', '256')
    }
  })

  it('refuses operands of different ΣK', async () => {
    const [spec] = fc.sample(cases, { seed: 3, numRuns: 1 }) as [KGroupedCase]
    const a = operand(8, { ...spec, sizes: [112] }, 1).tensor
    const b = operand(8, { ...spec, sizes: [128] }, 1).tensor
    const run = () => groupedGemmKGrouped(a, b, Int32Array.of(112))
    await expectError(run, ShapeError, '[8, 112]', '[8, 128]')
  })
})

describe.each(await availableDevices(Device))('quantizeKGrouped on $kind', (kind) => {
  const cases = kGroupedCases('cpu')
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  /** Casts each group as a matrix of its own and compares codes and scales bit for bit. */
  async function check(spec: KGroupedCase): Promise<void> {
    const { sizes, m: rows, scaleDType, seed } = spec
    const transpose = spec.accumulate
    const k = sum(sizes)
    const source = normalArray(createRandom(seed), rows * k)
    const at = (row: number, column: number): number =>
      source[transpose ? column * rows + row : row * k + column] as number
    const shape = transpose ? [k, rows] : [rows, k]
    const options = { scaleDType, transpose }
    const q = await quantizeKGrouped(device, { data: source, shape }, sizes, options)
    const codes = await q.values.toBytes()
    const scales = await q.scales.toFloat32Array()
    let [firstK, firstColumn] = [0, 0]
    for (const size of sizes) {
      const part = Float32Array.from({ length: rows * size }, (_, i) =>
        at(Math.floor(i / size), firstK + (i % size)),
      )
      const expected = referenceQuantize(part, [rows, size], '1x128', { scaleDType })
      const columns = Math.ceil(size / 128)
      for (let row = 0; row < rows; row++) {
        const own = codes.subarray(row * k + firstK, row * k + firstK + size)
        expect(own).toEqual(expected.codes.subarray(row * size, (row + 1) * size))
        for (let column = 0; column < columns; column++) {
          const scale = scales[(firstColumn + column) * rows + row]
          expect(scale).toBe(expected.grid[row * columns + column])
        }
      }
      firstK += size
      firstColumn += columns
    }
    q.dispose()
  }

  it('starts the blocks of every group anew', async () => {
    await fc.assert(fc.asyncProperty(cases, check), { numRuns: 60 })
  })

  it('makes rows of scales that start at 16 bytes', async () => {
    const data = new Float32Array(5 * 256)
    const { scales } = await quantizeKGrouped(device, { data, shape: [5, 256] }, [256])
    expect(scales.shape).toEqual([2, 5])
    expect(scales.strides).toEqual([8, 1])
  })

  it('refuses sizes that do not add up to the columns', async () => {
    const x = { data: new Float32Array(4 * 20), shape: [4, 20] }
    await expectError(() => quantizeKGrouped(device, x, [10, 9]), GroupError, '19', '[4, 20]')
    await expectError(() => quantizeKGrouped(device, x, [21, -1]), GroupError, 'group 1', '-1')
  })

  it('refuses what is not a matrix', async () => {
    const x = { data: new Float32Array(20), shape: [2, 2, 5] }
    await expectError(() => quantizeKGrouped(device, x, [5]), ShapeError, '[2, 2, 5]')
  })
})
