import { DeviceError, DisposedError, LayoutError, OptionError, type Tensor } from '@deepgemm/core'
import { allocateQuantized } from '@deepgemm/runtime'
import { cpuQueue } from '@deepgemm/runtime/cpu'
import { ArgumentList, CudaDevice, CudaError } from '@deepgemm/runtime/cuda'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOn,
  cubin,
  type FakeCuda,
  installFakeCuda,
  leaks,
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

/** Four rows at a time of a bf16 matrix with 128 columns. */
const rows = {
  dtype: 'bf16',
  extents: [128, 6],
  rowBytes: 256,
  box: [64, 4],
  swizzle: 128,
} as const

describe('a launch', () => {
  it('passes geometry, cluster, shared memory and overlap', () => {
    using module = device.loadModule(cubin)
    using tensor = bytesOn(device, 4)
    const fill = module.kernel('fill', { sharedBytes: 200_000 })
    const args = new ArgumentList().pointer(tensor).i64(4).u32(1)
    fill.launch(args, { grid: [4, 3, 2], block: [384], cluster: [2], programmatic: true })
    expect(fake.lastLaunch()).toEqual({
      grid: [4, 3, 2],
      block: [384, 1, 1],
      sharedBytes: 200_000,
      clusterBlocks: 2,
      programmatic: true,
    })
    fill.launch(args, one)
    expect(fake.lastLaunch()).toMatchObject({ clusterBlocks: 1, programmatic: false })
  })

  it('passes the members of a struct where C++ has them, tensor maps among them', async () => {
    using module = device.loadModule(cubin)
    using matrix = device.zeros({ dtype: 'bf16', shape: [6, 128] })
    using out = bytesOn(device, 144)
    const args = new ArgumentList('struct')
      .tensorMap(matrix.slice(0, 2, 6), { ...rows, extents: [128, 4] })
      .pointer(out)
      .i32(-7)
      .f32(0.5)
    expect(args.byteLength).toBe(144)
    module.kernel('store_struct').launch(args, one)
    const view = new DataView((await out.toBytes()).buffer)
    const word = (i: number) => Number(view.getBigUint64(8 * i, true))
    const bf16 = 9
    const rank = 2
    expect(word(1)).toBe(bf16 | (rank << 8) | (3 << 16) | (3 << 24))
    expect([word(2), word(3)]).toEqual([128, 4])
    expect(word(7)).toBe(256)
    expect([view.getUint32(88, true), view.getUint32(96, true)]).toEqual([64, 4])
    expect(view.getInt32(136, true)).toBe(-7)
    expect(view.getFloat32(140, true)).toBe(0.5)
  })

  it('passes zeros for a tensor map that the kernel does not read', async () => {
    using module = device.loadModule(cubin)
    using out = bytesOn(device, 144)
    const args = new ArgumentList('struct').tensorMap(undefined).pointer(out).i32(1).f32(1)
    module.kernel('store_struct').launch(args, one)
    expect((await out.toBytes()).subarray(0, 128)).toEqual(new Uint8Array(128))
  })

  it('refuses arguments and geometry out of range', () => {
    const args = new ArgumentList()
    expect(() => args.i32(2 ** 31)).toThrow(OptionError)
    expect(() => args.u32(-1)).toThrow(OptionError)
    expect(() => args.i64(2 ** 53)).toThrow(OptionError)
    for (let i = 0; i < 512; i++) args.i64(i)
    expect(() => args.i32(1)).toThrow(/fewer arguments: given 4100 bytes; allowed at most 4096/)
    using module = device.loadModule(cubin)
    const fill = module.kernel('fill')
    const launch = (geometry: object) => fill.launch(new ArgumentList(), geometry as never)
    expect(() => launch({ grid: [0], block: [1] })).toThrow(/grid, dimension 0/)
    expect(() => launch({ grid: [1, 65_536], block: [1] })).toThrow(OptionError)
    expect(() => launch({ grid: [1], block: [1, 1, 65] })).toThrow(/block, dimension 2/)
    expect(() => launch({ grid: [1], block: [1], cluster: [17] })).toThrow(/cluster/)
    expect(() => launch({ ...one, clusters: [2] })).toThrow(/unknown option/)
    expect(() => module.kernel('fill', { sharedBytes: 300_000 })).toThrow(OptionError)
  })

  it('refuses tensor maps that bulk copies cannot follow', () => {
    using matrix = device.zeros({ dtype: 'bf16', shape: [6, 128], label: 'A' })
    const map = (view: object, tensor: Tensor = matrix) =>
      new ArgumentList().tensorMap(tensor, { ...rows, ...view })
    expect(map({}).byteLength).toBe(128)
    expect(() => map({ dtype: 'f64' })).toThrow(/A cannot be copied in bulk: given dtype f64/)
    expect(() => map({ extents: [128, 0] })).toThrow(LayoutError)
    expect(() => map({ rowBytes: 24 })).toThrow(/strides of \[24\] bytes/)
    expect(() => map({ extents: [64, 4] }, matrix.slice(1, 4, 68))).toThrow(/byte offset 8/)
    expect(() => map({ box: [64, 257] })).toThrow(LayoutError)
    expect(() => map({ box: [64] })).toThrow(/given box \[64\]/)
    expect(() => map({ swizzle: 64 })).toThrow(/swizzle 64 for rows of 128 bytes/)
    expect(() => map({ extents: [128, 7] })).toThrow(
      /A is shorter than its tensor map: given extents \[128, 7\] of bf16 ending at byte 1792/,
    )
    expect(() => map({ extents: [128, 4, 2], box: [64, 4, 1] })).toThrow(/2 strides/)
  })
})

describe('a module', () => {
  it('must be a cubin and have the kernel', () => {
    expect(() => device.loadModule(new Uint8Array(64))).toThrow(/is not a cubin: given 64 bytes/)
    expect(() => device.loadModule(cubin.subarray(0, 10))).toThrow(CudaError)
    using module = device.loadModule(cubin, 'gemm')
    expect(() => module.kernel('gemm_128')).toThrow(
      /Kernel gemm_128 of module gemm could not be had: given CUDA_ERROR_NOT_FOUND from cuModuleGetFunction/,
    )
  })

  it('tells what the compiler made of a kernel', () => {
    using module = device.loadModule(cubin)
    expect(module.kernel('fill').attributes()).toEqual({
      maxThreads: 100,
      staticSharedBytes: 101,
      localBytes: 103,
      registers: 104,
    })
  })

  it('stays loaded for work in flight and cannot be launched after dispose', async () => {
    const module = device.loadModule(cubin)
    const fill = module.kernel('fill')
    using tensor = bytesOn(device, 2)
    const args = new ArgumentList().pointer(tensor).i64(2).u32(6)
    fake.slow(0, 30)
    fill.launch(args, one)
    module.dispose()
    expect(leaks(fake)['module']).toBe(1)
    expect(() => fill.launch(args, one)).toThrow(DisposedError)
    expect(() => fill.attributes()).toThrow(DisposedError)
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(6, 6))
  })
})

describe('a graph', () => {
  it('runs what was captured at each launch, and nothing before', async () => {
    using module = device.loadModule(cubin)
    const fill = module.kernel('fill', { config: { block_m: 64 } })
    using tensor = bytesOn(device, 2)
    const args = new ArgumentList().pointer(tensor).i64(2).u32(6)
    using graph = device.capture((stream) => {
      fill.launch(args, one, stream)
      fill.launch(args, one, stream)
    })
    expect(graph.kernels).toHaveLength(2)
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(0, 0))
    graph.launch()
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(6, 6))
    await tensor.storage.write(0, Uint8Array.of(1, 1))
    using other = device.createStream()
    graph.launch(other)
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(6, 6))
  })

  it('keeps the buffers and modules that its work uses', async () => {
    const module = device.loadModule(cubin)
    using target = bytesOn(device, 2)
    const source = device.tensor(Uint8Array.of(3, 4), { dtype: 'u8', shape: [2] })
    const graph = device.capture((stream) => {
      const args = new ArgumentList().pointer(target).pointer(source).i64(2)
      module.kernel('copy').launch(args, one, stream)
    })
    source.dispose()
    module.dispose()
    await device.synchronize()
    fake.slow(0, 10)
    graph.launch()
    graph.dispose()
    graph.dispose()
    expect(() => graph.launch()).toThrow(DisposedError)
    expect(await target.toBytes()).toEqual(Uint8Array.of(3, 4))
    expect(device.lost).toBeUndefined()
  })

  it('is not made when its making throws', () => {
    expect(() =>
      device.capture(() => {
        throw new RangeError('no')
      }),
    ).toThrow(RangeError)
  })

  it('has a stream that cannot be waited for', () => {
    using event = device.defaultStream.record()
    const attempts: unknown[] = []
    const attempt = (work: () => unknown) => {
      try {
        work()
      } catch (error) {
        attempts.push(error)
      }
    }
    using graph = device.capture((stream) => {
      attempt(() => stream.record())
      attempt(() => stream.wait(event))
    })
    expect(attempts).toHaveLength(2)
    for (const error of attempts) expect(error).toBeInstanceOf(LayoutError)
    expect(graph.kernels).toEqual([])
  })
})

describe('operations of the CPU', () => {
  it('are refused on a CUDA device', () => {
    expect(() => cpuQueue(device)).toThrow(DeviceError)
    const quantized = allocateQuantized(device, { shape: [4, 128], recipe: '1x128' })
    expect(quantized.device.kind).toBe('cuda')
    quantized.dispose()
  })
})
