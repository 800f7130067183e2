import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { textTable } from '../src/output/table.js'
import { reportTables } from '../src/output/tables.js'
import { reportText, requireWritable, writeReport } from '../src/output/write-report.js'
import {
  gemmRow,
  ONEDNN,
  ONEDNN_PACKED,
  ONNXRUNTIME,
  OURS,
  READ,
  type Report,
} from '../src/report.js'
import { groupedRow } from '../src/sections/grouped.js'
import { overheadRow } from '../src/sections/overhead.js'

const shape = { m: 10, n: 100, k: 1000 } // 2 MFLOP
const setting = { threads: 1, isa: 'avx2', prepacked: false }
const samples = new Map([
  [OURS, [1e-3, 2e-3, 3e-3]],
  [READ, [0.5e-3, 1e-3, 1.5e-3]],
  [ONNXRUNTIME, [4e-3, 8e-3, 12e-3]],
])

const report: Report = {
  meta: {
    device: 'a processor',
    cores: 2,
    os: 'Linux',
    date: '2030-01-01T00:00:00.000Z',
    commit: 'abc',
    command: 'node main.js cpu',
    node: '20.0.0',
    pairs: 3,
    quick: false,
    load_before: [0.1, 0.2, 0.3],
    load_after: [1, 0.2, 0.3],
    peers: { 'onnxruntime-node': '1.0.0' },
  },
  rows: [gemmRow(shape, setting, samples, [4e9, 5e9, 6e9])],
  casts: [],
  overhead: [],
  grouped: [],
  event_loop: [],
}

describe('a row of a dense product', () => {
  it('tells rate, peak and ratios', () => {
    expect(report.rows[0]).toEqual({
      ...shape,
      ...setting,
      ours_gflops: 1,
      peak_gflops: 5,
      floor_ratio: 0.5,
      roof_ratio: 0.5,
      onnxruntime_ratio: 4,
      onednn_ratio: null,
      onednn_prepacked_ratio: null,
    })
  })

  it('takes the peak as the roof where it is the lower one', () => {
    expect(gemmRow(shape, setting, samples, [1.25e9]).roof_ratio).toBe(0.8)
  })

  it('has no peak where none is known', () => {
    expect(gemmRow(shape, setting, samples, [0])).toMatchObject({
      peak_gflops: null,
      roof_ratio: 0.5,
    })
  })

  it('has a ratio for each peer that ran', () => {
    const all = new Map([...samples, [ONEDNN, [1, 2, 3]], [ONEDNN_PACKED, [0.5e-3, 1e-3, 1.5e-3]]])
    expect(gemmRow(shape, setting, all, [0])).toMatchObject({
      onednn_ratio: 1000,
      onednn_prepacked_ratio: 0.5,
    })
  })

  it('needs samples of ours', () => {
    expect(() => gemmRow(shape, setting, new Map(), [0])).toThrow('no samples of ours')
  })
})

describe('rows of the other sections', () => {
  it('count overhead from the native time of the same round', () => {
    const row = overheadRow(
      shape,
      setting,
      new Map([
        ['native', [10e-6, 20e-6, 30e-6]],
        ['awaited', [13e-6, 22e-6, 31e-6]],
        ['pipelined', [11e-6, 21e-6, 31e-6]],
        ['after a pause', [50e-6, 50e-6, 50e-6]],
        ['after a pause, one thread', [75e-6, 100e-6, 25e-6]],
      ]),
    )
    expect(row).toMatchObject({
      native_us: 20,
      awaited_us: 22,
      awaited_overhead_us: 2,
      pipelined_overhead_us: 1,
      after_pause_ratio: 1.5,
    })
  })

  it('count the tokens of grouped products without padding', () => {
    const row = groupedRow(
      { name: 'two experts', sizes: [3, 7], n: 100, k: 1000 },
      { layout: 'masked', prepacked: true },
      { threads: 2, isa: 'avx2' },
      new Map([
        ['masked', [9, 9, 9]],
        ['masked, prepacked', [1e-3, 2e-3, 4e-3]],
        ['dense', [1e-3, 1e-3, 1e-3]],
        [READ, [1e-3, 1.5e-3, 1e-3]],
      ]),
    )
    expect(row).toMatchObject({
      layout: 'masked',
      prepacked: true,
      groups: 2,
      tokens: 10,
      ours_gflops: 1,
      dense_ratio: 0.5,
      floor_ratio: 0.75,
    })
  })
})

describe('the report', () => {
  it('is JSON with a row a line', () => {
    const text = reportText(report)
    expect(JSON.parse(text)).toEqual(report)
    expect(text.split('\n').filter((line) => line.includes('"ours_gflops"'))).toHaveLength(1)
  })

  it('appears whole or not at all', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'deepgemm-bench-'))
    try {
      const path = join(folder, 'new', 'cpu.json')
      await expect(requireWritable(path)).rejects.toThrow('new')
      mkdirSync(join(folder, 'new'))
      await requireWritable(path)
      await writeReport(path, report)
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report)
      await expect(writeReport(join(folder, 'new'), report)).rejects.toThrow()
      expect(readdirSync(folder)).toEqual(['new'])
      await expect(requireWritable(join(path, 'inside a file'))).rejects.toThrow('cpu.json')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('has a table for each section with rows', () => {
    expect(reportTables(report)).toMatchInlineSnapshot(`
      "a processor, 2 cores, commit abc, load 0.10 to 1.00

      Dense products
      M x N x K    threads  isa   weights  GFLOP/s  peak  % of read floor  % of roofline  x onnxruntime f32  x oneDNN bf16  x oneDNN packed
      10x100x1000        1  avx2  plain          1     5               50             50                  4              -                -
      "
    `)
  })
})

describe('a table', () => {
  it('aligns numbers right, texts left, and shows what is missing', () => {
    const table = textTable(
      ['name', 'value'],
      [
        ['a', 1],
        ['long name', null],
      ],
    )
    expect(table).toBe('name       value\na              1\nlong name      -\n')
  })
})
