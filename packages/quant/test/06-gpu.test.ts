import { encodeArray } from '@deepgemm/core'
import { quantize } from '@deepgemm/quant'
import { Device } from '@deepgemm/runtime'
import { availableDevices, createRandom, normalArray } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')

const SHAPES = [
  [1, 128],
  [3, 16],
  [33, 1040],
  [128, 512],
  [129, 77],
  [70, 1024],
] as const

describe.skipIf(gpus.length === 0)('casts on a GPU', () => {
  let gpu: Device
  let cpu: Device

  beforeAll(async () => {
    gpu = await Device.open({ kind: 'cuda' })
    cpu = await Device.open({ kind: 'cpu' })
  })

  afterAll(async () => {
    await gpu.dispose()
    expect(gpu.memory().buffers).toEqual([])
    await cpu.dispose()
  })

  function numbers(count: number): Float32Array<ArrayBuffer> {
    const data = normalArray(createRandom(count), count, 3)
    data[0] = Number.NaN
    data[count >> 1] = Number.POSITIVE_INFINITY
    data.fill(0, count - 8)
    return data
  }

  describe.each(['1x128', '128x128'] as const)('with %s scales', (recipe) => {
    it.each(['f32', 'bf16', 'f16'] as const)('of %s give the bytes of the CPU', async (dtype) => {
      for (const [rows, columns] of SHAPES) {
        const data = numbers(rows * columns)
        const bits =
          dtype === 'f32' ? data : new Uint16Array(encodeArray(dtype, data).slice().buffer)
        for (const scaleDType of ['f32', 'ue8m0'] as const) {
          for (const orientation of ['k-major', 'mn-major'] as const) {
            const x = { data: bits, shape: [rows, columns], dtype }
            const options = { scaleDType, orientation }
            const mine = await quantize(gpu, x, recipe, options)
            const theirs = await quantize(cpu, x, recipe, options)
            expect(await mine.values.toBytes()).toEqual(await theirs.values.toBytes())
            expect(await mine.scales.tensor.toBytes()).toEqual(await theirs.scales.tensor.toBytes())
            mine.dispose()
            theirs.dispose()
          }
        }
      }
    })
  })
})
