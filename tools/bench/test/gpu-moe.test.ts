import { OptionError } from 'deepgemm'
import { describe, expect, it } from 'vitest'
import {
  blocksBefore,
  groupedBytes,
  groupedFlops,
  groupSizes,
  type LayerCase,
  laidOut,
  layerCases,
  type MoeCase,
  moeCases,
} from '../src/gpu/moe/cases.js'
import {
  layerRow,
  layoutMeans,
  MOE_COMPARED,
  MOE_METHOD,
  moeRow,
  moeTables,
  rowsByKind,
} from '../src/gpu/moe/report.js'
import { randomRouting } from '../src/gpu/moe/routing.js'
import { parseMoeOptions } from '../src/gpu/options.js'

const masked: MoeCase = { problem: 'masked', groups: 4, expected_m: 20, n: 512, k: 1024 }
const layer: LayerCase = { problem: 'layer', groups: 16, expected_m: 4, n: 256, k: 128 }
const slices: MoeCase = { problem: 'k-grouped', groups: 3, expected_m: 64, n: 128, k: 512 }

describe('the grouped cases', () => {
  it('are every layout of the model, no product twice', () => {
    const cases = moeCases(false)
    expect(new Set(cases.map((item) => JSON.stringify(item))).size).toBe(cases.length)
    const count = (layout: string) => cases.filter(({ problem }) => problem === layout).length
    expect(['contiguous', 'packed', 'masked', 'k-grouped'].map(count)).toEqual([8, 4, 12, 4])
  })

  it('have groups of 0.7 to 1.3 times the expected size, always the same', () => {
    for (const item of moeCases(false)) {
      const expected = item.problem === 'k-grouped' ? item.k : item.expected_m
      const sizes = groupSizes(item)
      expect(sizes).toHaveLength(item.groups)
      expect(Math.min(...sizes)).toBeGreaterThanOrEqual(Math.floor(0.69 * expected))
      expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.ceil(1.31 * expected))
      expect(groupSizes(item)).toEqual(sizes)
      if (item.problem === 'k-grouped') expect(sizes.every((size) => size % 128 === 0)).toBe(true)
    }
  })

  it('lay groups out as each layout says', () => {
    const sizes = groupSizes(masked)
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(laidOut(masked)).toMatchObject({ m: 4096, k: 1024, starts: [0, 0, 0, 0] })
    expect([...laidOut(masked).indices]).toEqual(sizes)
    const packed = laidOut({ ...masked, problem: 'packed' })
    expect(packed).toMatchObject({ m: total, sizes })
    expect([...packed.indices]).toEqual([...packed.starts, total])
    const contiguous = laidOut({ ...masked, problem: 'contiguous' })
    expect(contiguous).toMatchObject({ m: 512, starts: [0, 128, 256, 384] })
    expect([...contiguous.indices].filter((group) => group >= 0)).toHaveLength(total)
    expect(laidOut(slices).k).toBe(groupSizes(slices).reduce((sum, size) => sum + size, 0))
    expect(blocksBefore([128, 130, 5], 3)).toBe(4)
  })

  it('count the bytes and operations of the rows that are there', () => {
    const total = groupSizes(masked).reduce((sum, size) => sum + size, 0)
    expect(groupedBytes(masked)).toBe(4 * 512 * 1024 + total * (1024 + 2 * 512))
    expect(groupedFlops(masked)).toBe(2 * total * 512 * 1024)
    const depth = groupSizes(slices).reduce((sum, size) => sum + size, 0)
    expect(groupedBytes(slices)).toBe(depth * (64 + 128) + 4 * 3 * 64 * 128)
    expect(groupedFlops(slices)).toBe(2 * depth * 64 * 128)
  })
})

describe('a routing', () => {
  it('sends every token to different experts, and its logits say so', () => {
    const { logits, counts } = randomRouting(20, 16, 8, 3)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20 * 8)
    const found = new Array<number>(16).fill(0)
    for (let token = 0; token < 20; token++) {
      const row = [...logits.slice(token * 16, (token + 1) * 16)]
      const selected = row.filter((logit) => logit > 0)
      expect(new Set(selected).size).toBe(8)
      row.forEach((logit, expert) => {
        if (logit > 0) found[expert] = (found[expert] as number) + 1
      })
    }
    expect(found).toEqual(counts)
    expect(randomRouting(20, 16, 8, 3).counts).toEqual(counts)
    expect(randomRouting(20, 16, 8, 4).counts).not.toEqual(counts)
  })

  it('reaches every expert', () => {
    expect(Math.min(...randomRouting(1000, 16, 2, 1).counts)).toBeGreaterThan(80)
  })
})

describe('the command line of the grouped benchmark', () => {
  it('takes single products by their layout', () => {
    expect(parseMoeOptions(['gpu-moe']).cases).toEqual(moeCases(false))
    expect(parseMoeOptions(['gpu-moe', '--quick']).cases).toEqual(moeCases(true))
    expect(parseMoeOptions(['gpu-moe']).layers).toEqual(layerCases(false))
    const products = ['masked:4,20,512,1024', 'k-grouped:3,64,128,512', 'layer:16,4,256,128']
    const args = ['gpu-moe', ...products.flatMap((product) => ['--only', product])]
    expect(parseMoeOptions(args)).toMatchObject({ cases: [masked, slices], layers: [layer] })
  })

  it('asks for the peers of products and of layers', () => {
    const { peers } = parseMoeOptions(['gpu-moe'])
    expect(peers).toEqual(['deepgemm', 'cublaslt', 'torch_layer', 'triton_layer'])
    const some = parseMoeOptions(['gpu-moe', '--peers', 'torch_layer'])
    expect(some.peers).toEqual(['torch_layer'])
    expect(() => parseMoeOptions(['gpu-moe', '--peers', 'deepgemm_dependent'])).toThrow(OptionError)
  })

  it.each(['masked', 'masked:4,20,512', 'tea:1,2,3,4', 'masked:4,20,512,x', ''])(
    'refuses %j as a product',
    (only) => {
      expect(() => parseMoeOptions(['gpu-moe', '--only', only])).toThrow(OptionError)
    },
  )
})

describe('a grouped report', () => {
  const facts = { error: 1e-6, config: '128x128/s5/bf16' }
  const rows = [
    moeRow(masked, { ours: [10, 12, 11], deepgemm: [22], cublaslt: [33] }, facts),
    moeRow({ ...masked, expected_m: 30 }, { ours: [10], deepgemm: [5] }, facts),
    moeRow(slices, { ours: [30] }, { ...facts, error: Number.NaN }),
  ]

  it('has medians, and means by layout', () => {
    expect(rows[0]).toMatchObject({ ...masked, ours_us: 11, deepgemm_us: 22, max_error: 1e-6 })
    expect(rows[2]).toMatchObject({ deepgemm_us: null, cublaslt_us: null, max_error: null })
    expect(layoutMeans(rows)).toEqual([{ problem: 'masked', mean: 1, worst: 0.5, cublaslt: 3 }])
  })

  it('is a table', () => {
    const meta = {
      ...{ device: 'NVIDIA H100', multiprocessors: 132, driver: null, clocks: null },
      ...{ copy_bandwidth_gbs: null, date: '', commit: 'abc', command: '', node: '' },
      ...{ rounds: 3, replays: 15, quick: false, seconds: 9, peers: {}, missing: [] },
      ...{ method: MOE_METHOD, compared: MOE_COMPARED },
    }
    const times = { ours: [40, 44], parts: 32, floor: [21], torch_layer: [84], triton_layer: [63] }
    const all = [...rows, layerRow(layer, 14, times)]
    expect(rowsByKind(all)).toEqual({ products: rows, layers: all.slice(3) })
    expect(moeTables({ meta, rows: all })).toMatchInlineSnapshot(`
      "NVIDIA H100, driver unknown, commit abc

      layout     groups x M  N x K     ours us  DeepGEMM    x  cuBLASLt  x  TFLOP/s  error   config
      masked     4x20        512x1024       11        22    2        33  3        8  1.0e-6  128x128/s5/bf16
      masked     4x30        512x1024       10         5  0.5         -  -       13  1.0e-6  128x128/s5/bf16
      k-grouped  3x64        128x512        30         -    -         -  -        1  NaN     128x128/s5/bf16

      geometric means  x DeepGEMM  worst  x cuBLASLt
      masked                    1    0.5           3

      layer                tokens  touched  ours us  products  x products  floor  x floor  PyTorch  x  Triton    x
      16 experts, 256x128       4       14       42        32        1.31     21        2       84  2      63  1.5
      "
    `)
  })
})
