import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeviceError, ShapeError } from '@deepgemm/core'
import { dequantize, enqueueQuantize, quantize, relayoutScales } from '@deepgemm/quant'
import { Device } from '@deepgemm/runtime'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type FakeCuda,
  installFakeCuda,
  settledLeaks,
} from '../../runtime/test/support/fake-cuda.js'

let fake: FakeCuda
let device: Device
const cache = mkdtempSync(join(tmpdir(), 'deepgemm-quant-'))

beforeAll(async () => {
  fake = await installFakeCuda()
  vi.stubEnv('DEEPGEMM_CACHE_DIR', cache)
  vi.stubEnv('DEEPGEMM_COMPILER', 'nvrtc')
}, 300_000)

afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(cache, { recursive: true, force: true })
})

beforeEach(async () => {
  device = await Device.open({ kind: 'cuda' })
})

afterEach(async () => {
  await device.dispose()
  expect(device.memory().buffers).toEqual([])
  const left = await settledLeaks(fake)
  fake.reset()
  expect(left).toEqual({})
})

const host = (rows: number, columns: number) => ({
  data: new Float32Array(rows * columns),
  shape: [rows, columns],
})

/** Strides of source, values and scales, then extents, of the last cast. */
function castNumbers(): number[] {
  const bytes = fake.lastArguments()
  expect(bytes).toHaveLength(72)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const strides = [24, 32, 40, 48].map((at) => Number(view.getBigInt64(at, true)))
  return [...strides, ...[56, 60, 64, 68].map((at) => view.getUint32(at, true))]
}

describe('a cast on a GPU', () => {
  it('covers the matrix and writes 1x128 scales M-major and padded', async () => {
    using q = await quantize(device, host(33, 1040), '1x128')
    expect(q.device.kind).toBe('cuda')
    expect(fake.lastLaunch()).toMatchObject({ grid: [2, 3, 1], block: [256, 1, 1] })
    expect(castNumbers()).toEqual([1040, 1040, 1, 36, 33, 1040, 33, 36])
  })

  it('writes 128x128 scales row by row', async () => {
    using q = await quantize(device, host(130, 300), '128x128')
    expect(q.shape).toEqual([130, 300])
    expect(fake.lastLaunch()).toMatchObject({ grid: [2, 3, 1] })
    expect(castNumbers()).toEqual([300, 300, 3, 1, 130, 300, 2, 2])
  })

  it('is enqueued at once when one of its kind was done before', async () => {
    expect(() => enqueueQuantize(device, host(4, 128), '1x128')).toThrow(/is not loaded/)
    using first = await quantize(device, host(4, 128), '1x128')
    using second = enqueueQuantize(device, host(8, 256), '1x128')
    expect([first.shape, second.shape]).toEqual([
      [4, 128],
      [8, 256],
    ])
    await device.synchronize()
    expect(castNumbers().slice(4, 6)).toEqual([8, 256])
  })

  it('of an empty matrix launches nothing', async () => {
    using q = await quantize(device, host(0, 128), '1x128')
    expect(q.shape).toEqual([0, 128])
    expect(fake.lastLaunch()).toBeUndefined()
  })

  it('is refused where the kernels cannot do it, and keeps no memory', async () => {
    const x = host(128, 128)
    await expect(quantize(device, x, '128x1')).rejects.toThrow(DeviceError)
    await expect(quantize(device, x, '1x128', { transpose: true })).rejects.toThrow(DeviceError)
    const group = { ...x, shape: [2, 64, 128] }
    await expect(quantize(device, group, '1x128')).rejects.toThrow(ShapeError)
    using q = await quantize(device, x, '1x128')
    await expect(dequantize(q)).rejects.toThrow(/cannot dequantise/)
    await expect(relayoutScales(q, { orientation: 'k-major' })).rejects.toThrow(DeviceError)
  })
})
