import { readdirSync } from 'node:fs'
import { DeviceError, DisposedError, OptionError } from '@deepgemm/core'
import { Device } from '@deepgemm/runtime'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cpuSettings } from '../src/cpu/settings.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('Device', () => {
  it('lists the CPU with its instruction set and threads', async () => {
    const cpu = (await Device.list()).find(({ kind }) => kind === 'cpu')
    expect(cpu?.architecture).toMatch(/^[a-z0-9_]+$/)
    expect(cpu?.parallelism).toBeGreaterThanOrEqual(1)
    expect(cpu?.problem).toBeUndefined()
  })

  it('opens the CPU on any machine', async () => {
    await using device = await Device.open({ kind: 'cpu' })
    expect(device.kind).toBe('cpu')
    expect(device.defaultStream.device.id).toBe(device.id)
  })

  it('gives every opened device an identity of its own', async () => {
    await using first = await Device.open({ kind: 'cpu' })
    await using second = await Device.open({ kind: 'cpu' })
    expect(first.id).not.toBe(second.id)
  })

  it('refuses misspelled options, unknown kinds and devices that are not here', async () => {
    await expect(Device.open({ thread: 2 } as never)).rejects.toThrow(OptionError)
    await expect(Device.open({ kind: 'tpu' } as never)).rejects.toThrow(
      /given tpu; allowed cpu, cuda/,
    )
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', '/nowhere/libcuda.so.1')
    await expect(Device.open({ kind: 'cuda' })).rejects.toThrow(DeviceError)
    vi.stubEnv('DEEPGEMM_DEVICE', 'abacus')
    await expect(Device.open()).rejects.toThrow(OptionError)
  })

  it('cannot be used after it was disposed', async () => {
    const device = await Device.open({ kind: 'cpu' })
    await device.dispose()
    await device.dispose()
    expect(() => device.zeros({ dtype: 'f32', shape: [1] })).toThrow(DisposedError)
    expect(() => device.createStream()).toThrow(/was disposed/)
  })

  it.runIf(process.platform === 'linux')('ends its threads when it is disposed', async () => {
    const threads = (): number => readdirSync('/proc/self/task').length
    const before = threads()
    const device = await Device.open({ kind: 'cpu', threads: 9 })
    expect(threads()).toBe(before + 8)
    await device.dispose()
    expect(threads()).toBe(before)
  })

  it('keeps tensors readable after it was disposed', async () => {
    const device = await Device.open({ kind: 'cpu' })
    using tensor = device.tensor(Float32Array.of(3), { dtype: 'f32', shape: [1] })
    await device.dispose()
    expect(await tensor.toFloat32Array()).toEqual(Float32Array.of(3))
  })
})

describe('the settings of a CPU device', () => {
  const info = { isas: ['baseline', 'avx2'], defaultIsa: 'avx2', defaultThreads: 4 }

  it('come from the machine unless told otherwise', () => {
    expect(cpuSettings({}, info, {})).toMatchObject({ isa: 'avx2', threads: 4 })
  })

  it('follow the environment, and options before it', () => {
    const env = { DEEPGEMM_ISA: 'baseline', DEEPGEMM_THREADS: '3' }
    expect(cpuSettings({}, info, env)).toMatchObject({ isa: 'baseline', threads: 3 })
    expect(cpuSettings({ isa: 'avx2', threads: 2 }, info, env)).toMatchObject({
      isa: 'avx2',
      threads: 2,
    })
  })

  it('make threads nicer that take every processor, unless told otherwise', () => {
    expect(cpuSettings({}, info, {}).nicer).toBe(10)
    expect(cpuSettings({ threads: 3 }, info, {}).nicer).toBe(0)
    expect(cpuSettings({ threads: 3 }, info, { DEEPGEMM_NICE: '5' }).nicer).toBe(5)
    expect(cpuSettings({}, info, { DEEPGEMM_NICE: '0' }).nicer).toBe(0)
    for (const value of ['-1', '20', 'very']) {
      expect(() => cpuSettings({}, info, { DEEPGEMM_NICE: value })).toThrow(OptionError)
    }
  })

  it('must be what the machine can do', () => {
    expect(() => cpuSettings({ isa: 'avx512' }, info, {})).toThrow(
      /given avx512; allowed baseline, avx2/,
    )
    for (const threads of [0, -1, 1.5, 5000, Number.NaN]) {
      expect(() => cpuSettings({ threads }, info, {})).toThrow(OptionError)
    }
    expect(() => cpuSettings({}, info, { DEEPGEMM_THREADS: 'many' })).toThrow(
      /DEEPGEMM_THREADS is out of range/,
    )
  })
})
