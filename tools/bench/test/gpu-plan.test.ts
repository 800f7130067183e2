import { OptionError } from 'deepgemm'
import { describe, expect, it } from 'vitest'
import { gpuCase, gpuCases, rotation, touchedBytes } from '../src/gpu/cases.js'
import { parseGpuState } from '../src/gpu/meta.js'
import { scaleLayout } from '../src/gpu/operands.js'
import { parseGpuOptions } from '../src/gpu/options.js'

describe('the cases', () => {
  it('are every M on every pair of weights, and the gradients', () => {
    const cases = gpuCases(false)
    expect(cases).toHaveLength(9 * 6 + 3)
    expect(new Set(cases.map((item) => JSON.stringify(item))).size).toBe(cases.length)
    expect(cases.filter(({ problem }) => problem === 'wgrad')).toHaveLength(3)
  })

  it('know a gradient by its extents', () => {
    expect(gpuCase(7168, 2112, 4096).problem).toBe('wgrad')
    expect(gpuCase(4096, 2112, 7168).problem).toBe('dense')
  })

  it('keep weights cold: copies exceed 160 MB wherever 40 of them can', () => {
    for (const item of gpuCases(false)) {
      const bytes = touchedBytes(item)
      const { copies, launches } = rotation(bytes)
      expect(copies * bytes).toBeGreaterThan(160e6)
      expect(launches).toBeGreaterThanOrEqual(20)
      expect(launches % copies).toBe(0)
      expect(launches).toBeLessThan(2 * Math.max(20, copies))
    }
    expect(rotation(1).copies).toBe(40)
  })
})

describe('the scales of the operands', () => {
  it('lie where the kernels read them: 1x128 M-major with padded rows, 128x128 row-major', () => {
    expect(scaleLayout('1x128', [5, 256], 8)).toEqual({ rows: 5, columns: 2, row: 1, column: 8 })
    expect(scaleLayout('128x128', [2112, 7168], 56)).toEqual({
      ...{ rows: 17, columns: 56 },
      ...{ row: 56, column: 1 },
    })
  })
})

describe('the command line of the GPU benchmark', () => {
  it('measures everything beside every peer by default', () => {
    expect(parseGpuOptions(['gpu'])).toEqual({
      out: undefined,
      quick: false,
      cases: gpuCases(false),
      peers: ['deepgemm', 'deepgemm_dependent', 'cublaslt'],
      python: undefined,
      rounds: 3,
      replays: 15,
      commit: undefined,
    })
    expect(parseGpuOptions(['gpu', '--quick'])).toMatchObject({ rounds: 1, replays: 3 })
  })

  it('takes single products and single peers', () => {
    const args = [
      'gpu',
      '--only',
      '64,2112,7168',
      '--only',
      '7168,4096,4096',
      '--peers',
      'deepgemm',
    ]
    expect(parseGpuOptions(args)).toMatchObject({
      cases: [gpuCase(64, 2112, 7168), { problem: 'wgrad', m: 7168, n: 4096, k: 4096 }],
      peers: ['deepgemm'],
    })
    expect(parseGpuOptions(['gpu', '--only', 'wgrad:256,64,128']).cases).toEqual([
      { problem: 'wgrad', m: 256, n: 64, k: 128 },
    ])
    expect(parseGpuOptions(['gpu', '--peers', 'none']).peers).toEqual([])
  })

  it.each([
    [['--only', '64,2112'], 'M,N,K'],
    [['--only', '64,2112,x'], '--only'],
    [['--only', ''], 'nothing'],
    [['--peers', 'deepgemm,tea'], 'deepgemm, deepgemm_dependent, cublaslt, or none'],
    [['--rounds', '0'], '1 to 100'],
    [['--replays', '1e9'], '1 to 1000'],
    [['--out', ''], 'a file'],
    [['--python', ''], '--python'],
    [['--threads', '1'], '--threads'],
    [['again'], 'gpu again'],
  ])('refuses %j with a sentence that has %s in it', (args, part) => {
    expect(() => parseGpuOptions(['gpu', ...args])).toThrow(OptionError)
    expect(() => parseGpuOptions(['gpu', ...args])).toThrow(part)
  })
})

describe('what nvidia-smi tells', () => {
  it('becomes driver and clocks, or nulls', () => {
    expect(parseGpuState('580.95.05, 1980 MHz, 2619 MHz, 700.00 W\n')).toEqual({
      driver: '580.95.05',
      clocks: 'SM 1980 MHz, memory 2619 MHz, limit 700.00 W',
    })
    expect(parseGpuState('')).toEqual({ driver: null, clocks: null })
  })
})
