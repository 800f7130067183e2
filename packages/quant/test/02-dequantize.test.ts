import {
  decodeArray,
  encodeArray,
  FLOAT_DTYPES,
  QuantizedTensor,
  RECIPES,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
  Scales,
} from '@deepgemm/core'
import { dequantize, quantize } from '@deepgemm/quant'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  extents,
  randomQuantized,
  referenceDequantize,
  seeds,
  upload,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const some = fc.oneof(
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 12, arbitrary: extents({ max: 260 }) },
)

/** The bits of numbers, NaNs all alike: only that they are NaN is promised. */
function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(Float32Array.from(values, (x) => (Number.isNaN(x) ? Number.NaN : x)).buffer)
}

describe.each(await availableDevices(Device))('dequantize on $kind', ({ open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
  })

  it('gives value × scale, rounded once to the dtype, for random tensors of every form', async () => {
    const cases = fc.record({
      rows: some,
      cols: some,
      groups: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      recipe: fc.constantFrom(...RECIPES),
      scaleDType: fc.constantFrom(...SCALE_DTYPES),
      orientation: fc.constantFrom(...SCALE_ORIENTATIONS),
      dtype: fc.constantFrom(...FLOAT_DTYPES),
      seed: seeds(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ groups, orientation, dtype, seed, ...spec }) => {
        const matrices = Array.from({ length: groups ?? 1 }, (_, g) =>
          randomQuantized(seed + g, { ...spec, nan: true }),
        )
        const source = groups === undefined ? (matrices[0] as never) : matrices
        using quantized = upload(device, source, orientation)
        using actual = await dequantize(quantized, { dtype })
        expect(actual.shape).toEqual(quantized.shape)
        const values = Buffer.concat(matrices.map((m) => bytesOf(referenceDequantize(m))))
        const real = new Float32Array(Uint8Array.from(values).buffer)
        const expected = decodeArray(dtype, encodeArray(dtype, real))
        expect(bytesOf(await actual.toFloat32Array()).equals(bytesOf(expected))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('reads values whose rows have gaps', async () => {
    const matrix = randomQuantized(3, { rows: 5, cols: 130, recipe: '1x128' })
    const wide = new Uint8Array(5 * 200).fill(0x7f)
    for (let row = 0; row < 5; row++) {
      wide.set(matrix.codes.subarray(row * 130, (row + 1) * 130), row * 200)
    }
    using values = device.tensor(wide, { dtype: 'e4m3', shape: [5, 200] })
    using grid = device.tensor(Float32Array.from(matrix.grid), { dtype: 'f32', shape: [5, 2] })
    const scales = new Scales(grid, { recipe: '1x128', orientation: 'k-major' })
    const quantized = new QuantizedTensor(values.slice(1, 0, 130), scales)
    using actual = await dequantize(quantized)
    expect(await actual.toFloat32Array()).toEqual(referenceDequantize(matrix))
  })

  it('overflows f16 to infinity', async () => {
    using x = await quantize(device, { data: Float32Array.of(1e6, -1e6), shape: [1, 2] }, '1x128')
    using actual = await dequantize(x, { dtype: 'f16' })
    const { POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number
    expect(await actual.toFloat32Array()).toEqual(
      Float32Array.of(POSITIVE_INFINITY, NEGATIVE_INFINITY),
    )
  })

  it('is within half a step of e4m3 of what was quantised', async () => {
    const data = Float32Array.from({ length: 40 * 300 }, (_, i) => Math.sin(i) * 2 ** (i % 7))
    for (const recipe of RECIPES) {
      using x = await quantize(device, { data, shape: [40, 300] }, recipe)
      using actual = await dequantize(x)
      const largest = 64
      const back = await actual.toFloat32Array()
      // Normal codes are within 2^-4 of their value, subnormal ones within 2^-10 of a scale.
      const far = data.findIndex(
        (value, i) =>
          Math.abs((back[i] as number) - value) > Math.abs(value) / 16 + (largest / 448) * 2 ** -10,
      )
      expect(far).toBe(-1)
    }
  })
})
