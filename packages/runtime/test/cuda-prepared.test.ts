import { DeviceError, DisposedError, type Tensor } from '@deepgemm/core'
import { ArgumentList, CudaDevice, CudaLaunchError } from '@deepgemm/runtime/cuda'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOn,
  cubin,
  type FakeCuda,
  installFakeCuda,
  STATUS,
  settledLeaks,
} from './support/fake-cuda.js'

let fake: FakeCuda
let device: CudaDevice

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

beforeEach(() => {
  device = new CudaDevice()
})

afterEach(async () => {
  await device.dispose()
  const left = await settledLeaks(fake)
  fake.reset()
  expect(left).toEqual({})
})

const one = { grid: [1], block: [1] } as const

function prepareCopy(source: Uint8Array<ArrayBuffer>) {
  const module = device.loadModule(cubin)
  const from = device.tensor(source, { dtype: 'u8', shape: [source.length] })
  const to = bytesOn(device, source.length)
  const args = new ArgumentList().pointer(to).pointer(from).i64(source.length)
  const geometry = { ...one, cluster: [2], programmatic: true } as const
  return { module, from, to, launch: module.kernel('copy').prepare(args, geometry) }
}

describe('a prepared launch', () => {
  it('runs with what it was prepared with, on any stream of its device', async () => {
    const { launch, from, to } = prepareCopy(Uint8Array.of(1, 2, 3))
    expect(fake.lastLaunch()).toBeUndefined()
    expect(launch.run(device.defaultStream)).toBe(true)
    expect(await to.toBytes()).toEqual(Uint8Array.of(1, 2, 3))
    expect(fake.lastLaunch()).toMatchObject({ clusterBlocks: 2, programmatic: true })
    await from.storage.write(0, Uint8Array.of(7))
    using other = device.createStream()
    expect(launch.run(other)).toBe(true)
    expect(await to.toBytes()).toEqual(Uint8Array.of(7, 2, 3))
    from.dispose()
    to.dispose()
  })

  it('is captured like any launch', async () => {
    const { launch, from, to } = prepareCopy(Uint8Array.of(5, 6))
    const graph = device.capture((stream) => {
      launch.run(stream)
      launch.run(stream)
    })
    expect(graph.kernels).toHaveLength(2)
    graph.launch()
    expect(await to.toBytes()).toEqual(Uint8Array.of(5, 6))
    graph.dispose()
    from.dispose()
    to.dispose()
  })

  it('can be pointed at other tensors', async () => {
    const { launch, from, to } = prepareCopy(Uint8Array.of(1, 2, 3))
    const other = prepareCopy(Uint8Array.of(7, 8, 9))
    launch.rebind([other.to, other.from])
    launch.run(device.defaultStream)
    expect(await other.to.toBytes()).toEqual(Uint8Array.of(7, 8, 9))
    expect(await to.toBytes()).toEqual(new Uint8Array(3))
    from.dispose()
    expect(launch.run(device.defaultStream)).toBe(true)
    other.from.dispose()
    expect(launch.run(device.defaultStream)).toBe(false)
    expect(() => launch.rebind([to])).toThrow(/another number of tensors: given 1; allowed 2/)
    expect(() => launch.rebind([to, from])).toThrow(DisposedError)
    await using second = new CudaDevice()
    using foreign = bytesOn(second, 3)
    expect(() => launch.rebind([to, foreign])).toThrow(DeviceError)
    // What was refused halfway is not half done.
    using source = device.tensor(Uint8Array.of(4, 5, 6), { dtype: 'u8', shape: [3] })
    launch.rebind([to, source])
    launch.run(device.defaultStream)
    expect(await to.toBytes()).toEqual(Uint8Array.of(4, 5, 6))
    for (const owned of [to, other.to]) owned.dispose()
  })

  it('has other addresses in its tensor maps then, and the same extents', async () => {
    const module = device.loadModule(cubin)
    const rows = {
      dtype: 'bf16',
      extents: [64, 4],
      rowBytes: 128,
      box: [64, 4],
      swizzle: 0,
    } as const
    const matrices = [1, 2].map(() => device.zeros({ dtype: 'bf16', shape: [8, 64] }))
    const [first, second] = matrices as [(typeof matrices)[0], (typeof matrices)[0]]
    using out = bytesOn(device, 144)
    const argumentsOf = (matrix: Tensor) =>
      new ArgumentList('struct').tensorMap(matrix, rows).pointer(out).i32(5).f32(2)
    const kernel = module.kernel('store_struct')
    kernel.launch(argumentsOf(second.slice(0, 2, 6)), one)
    const expected = await out.toBytes()
    const launch = kernel.prepare(argumentsOf(first), one)
    launch.rebind([second.slice(0, 2, 6), out])
    launch.run(device.defaultStream)
    expect(await out.toBytes()).toEqual(expected)
    for (const owned of matrices) owned.dispose()
  })

  it('runs no more once a buffer or the module is gone, and says so', () => {
    const { launch, from, to, module } = prepareCopy(Uint8Array.of(5, 6))
    expect(launch.run(device.defaultStream)).toBe(true)
    const { cuLaunchKernelEx: launches } = fake.calls()
    from.dispose()
    expect(launch.run(device.defaultStream)).toBe(false)
    const other = prepareCopy(Uint8Array.of(1))
    other.module.dispose()
    expect(other.launch.run(device.defaultStream)).toBe(false)
    expect(fake.calls()['cuLaunchKernelEx']).toBe(launches)
    for (const owned of [to, module, other.from, other.to]) owned.dispose()
  })

  it('also when a graph keeps the disposed buffer alive', () => {
    const { launch, from, to } = prepareCopy(Uint8Array.of(5, 6))
    using graph = device.capture((stream) => {
      launch.run(stream)
    })
    from.dispose()
    expect(launch.run(device.defaultStream)).toBe(false)
    graph.launch()
    to.dispose()
  })

  it('refuses other devices’ streams and disposed ones, and names itself when it fails', async () => {
    const { launch, from, to } = prepareCopy(Uint8Array.of(5, 6))
    await using second = new CudaDevice()
    expect(() => launch.run(second.defaultStream)).toThrow(DeviceError)
    const stream = device.createStream('side')
    launch.run(stream)
    stream.dispose()
    expect(() => launch.run(stream)).toThrow(DisposedError)
    fake.fail('cuLaunchKernelEx', 1, STATUS.unknown)
    expect(() => launch.run(device.defaultStream)).toThrow(CudaLaunchError)
    fake.fail('cuLaunchKernelEx', 1, STATUS.unknown)
    expect(() => launch.run(device.defaultStream)).toThrow(
      /Could not launch copy on stream default/,
    )
    from.dispose()
    to.dispose()
  })
})
