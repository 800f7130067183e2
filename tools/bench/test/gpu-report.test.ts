import { NativeError } from 'deepgemm'
import { describe, expect, it } from 'vitest'
import { gpuCase } from '../src/gpu/cases.js'
import { COMPARED, type GpuReport, METHOD } from '../src/gpu/report.js'
import { type GpuRow, geometricMeans, gpuRow, requireRight } from '../src/gpu/rows.js'
import { gpuTables } from '../src/gpu/tables.js'
import { reportText } from '../src/output/write-report.js'

const facts = { error: 1.41234e-6, config: '128x32/s8/bf16' }

function row(m: number, ours: number, deepgemm: number, cublaslt: number, floor = 5): GpuRow {
  const samples = { ours: [ours], deepgemm: [deepgemm], cublaslt: [cublaslt], floor: [floor] }
  return gpuRow(gpuCase(m, 4096, 7168), samples, facts)
}

const gradient = gpuRow(gpuCase(7168, 4096, 4096), { ours: [300], deepgemm: [360] }, facts)

const name = ({ m, n, k }: GpuRow): string => `${m}x${n}x${k}`

describe('a row', () => {
  it('has the medians over all replays, and null where nothing was measured', () => {
    const samples = { ours: [9, 7.12345, 8], deepgemm: [12, 10], floor: [6] }
    expect(gpuRow(gpuCase(64, 4096, 7168), samples, facts)).toEqual({
      ...{ problem: 'dense', m: 64, n: 4096, k: 7168 },
      ours_us: 8,
      deepgemm_us: 11,
      deepgemm_dependent_us: null,
      cublaslt_block_us: null,
      weight_read_floor_us: 6,
      max_error: 1.41e-6,
      config: '128x32/s8/bf16',
    })
  })

  it('is wrong when its error is large or an element was never written', () => {
    const samples = { ours: [1] }
    const wrong = gpuRow(gpuCase(64, 8, 16), samples, { ...facts, error: 0.01 })
    const unwritten = gpuRow(gpuCase(65, 8, 16), samples, { ...facts, error: Number.NaN })
    expect(unwritten.max_error).toBeNull()
    expect(() => requireRight([row(1, 1, 1, 1), gradient], name)).not.toThrow()
    expect(() => requireRight([wrong, unwritten], name)).toThrow(NativeError)
    expect(() => requireRight([wrong, unwritten], name)).toThrow(/64x8x16, error 0.01; 65x8x16/)
  })
})

describe('the means', () => {
  it('are geometric, per M, and leave out what is null', () => {
    const lonely = { ...row(64, 10, 10, 10), deepgemm_us: null }
    const rows = [row(64, 10, 20, 20), row(64, 10, 5, 20), lonely, row(1, 8, 12, 16), gradient]
    expect(geometricMeans(rows)).toEqual([
      {
        ...{ problem: 'dense', m: 1 },
        ...{
          deepgemm: 1.5,
          deepgemm_worst: 1.5,
          deepgemm_dependent: null,
          cublaslt: 2,
          floor: 1.6,
        },
      },
      {
        ...{ problem: 'dense', m: 64 },
        ...{
          deepgemm: 1,
          deepgemm_worst: 0.5,
          deepgemm_dependent: null,
          cublaslt: 1.587,
          floor: 2,
        },
      },
      {
        ...{ problem: 'wgrad', m: undefined },
        ...{
          deepgemm: 1.2,
          deepgemm_worst: 1.2,
          deepgemm_dependent: null,
          cublaslt: null,
          floor: null,
        },
      },
    ])
    expect(geometricMeans([])).toEqual([])
  })
})

describe('a report', () => {
  const report: GpuReport = {
    meta: {
      ...{ device: 'NVIDIA H100', multiprocessors: 132, driver: null, clocks: null },
      ...{ copy_bandwidth_gbs: null, date: '', commit: 'abc', command: '', node: '' },
      ...{ rounds: 3, replays: 15, quick: false, seconds: 9, peers: {}, missing: [] },
      ...{ method: METHOD, compared: COMPARED },
    },
    rows: [row(64, 10, 12.5, 20), gradient],
    jit: {
      ...{ first_compile_s: 0.3, process_first_compile_s: 1.8, cached_load_ms: 0.9 },
      compiler: 'nvrtc 13.0',
    },
    host: { run_us: 4, bare_launch_us: null, runtime_launch_us: 3.5 },
  }

  it('is a table with ratios and means', () => {
    expect(gpuTables(report)).toMatchInlineSnapshot(`
      "NVIDIA H100, driver unknown, commit abc

      problem  M x N x K       ours us  DeepGEMM     x  cuBLASLt  x  floor  x floor  TFLOP/s  error   config
      dense    64x4096x7168         10      12.5  1.25        20  2      5        2      376  1.4e-6  128x32/s8/bf16
      wgrad    7168x4096x4096      300       360   1.2         -  -      -        -      802  1.4e-6  128x32/s8/bf16

      geometric means  x DeepGEMM  worst  x DeepGEMM dependent  x cuBLASLt  x floor
      dense, M = 64          1.25   1.25                     -           2        2
      wgrad                   1.2    1.2                     -           -        -

      compile 0.3 s (first of the process 1.8 s), cached kernel 0.9 ms, nvrtc 13.0
      plan.run 4 us on the host, launch of an empty kernel not measured from C++, 3.5 us through the runtime
      "
    `)
  })

  it('has a row on a line as JSON', () => {
    const text = reportText(report)
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(report)))
    expect(text.split('\n').filter((line) => line.includes('"problem"'))).toHaveLength(2)
  })
})
