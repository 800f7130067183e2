import { execFile } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createRandom, normalArray } from '@deepgemm/testing'
import { CheckpointWriter, encodeArray } from 'deepgemm'
import { beforeAll, describe, expect, it } from 'vitest'
import { escapeText, heatMap } from '../src/inspect/drawings.js'
import { shareText } from '../src/inspect/html.js'
import { scaleStatistics } from '../src/inspect/scale-stats.js'
import { ValueStatistics } from '../src/inspect/value-stats.js'
import { textBar } from '../src/output/bar.js'
import { buildCli, deepgemm, MAIN, MODEL, scratchFolder, writeCheckpoint } from './helpers.js'

/** A bf16 weight of normal numbers with a value far out. */
async function writeOutlier(folder: string, name: string, value: number): Promise<void> {
  const numbers = normalArray(createRandom(3), 256 * 384)
  numbers[200 * 384 + 130] = value
  const specs = [
    { name, dtype: 'BF16', shape: [256, 384] },
    { name: 'plain.weight', dtype: 'BF16', shape: [256, 384] },
  ] as const
  await using writer = await CheckpointWriter.create(folder, specs)
  await writer.write(name, encodeArray('bf16', numbers))
  await writer.write('plain.weight', encodeArray('bf16', normalArray(createRandom(4), 256 * 384)))
  await writer.finish()
}

describe('deepgemm inspect', () => {
  it('shows formats, scales and outliers, the weight with the largest first', async () => {
    using folder = scratchFolder()
    await writeOutlier(folder.in('bf16'), 'spiky.weight', 1000)
    await deepgemm(['quantize', folder.in('bf16'), '-o', folder.in('fp8')])
    const { code, stdout } = await deepgemm(['inspect', folder.in('fp8')])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^1 file; quantization_config: fp8, e4m3, 128x128\n/)
    expect(stdout).toMatch(/F8_E4M3 128x128: 2 tensors, 197 kB/)
    const rows = stdout.split('\n').map((line) => line.split('\t'))
    const at = rows.findIndex(([name]) => name === 'spiky.weight')
    expect(rows[at]?.slice(0, 4)).toEqual([
      'spiky.weight',
      '[256, 384]',
      'F8_E4M3 128x128',
      '1.00e+3',
    ])
    expect(rows[at]?.[8]).toMatch(/^0\.00\d+ to 2\.23 F32$/)
    expect(rows[at + 1]?.[0]).toBe('plain.weight')
  })

  it('writes a page with pictures that needs nothing else, whatever tensors are called', async () => {
    using folder = scratchFolder()
    const name = 'a<script>alert("x")</script>&.weight'
    await writeOutlier(folder.in('bf16'), name, 50)
    const page = folder.in('report.html')
    const args = ['inspect', folder.in('bf16'), '--report', page]
    expect((await deepgemm(args)).code).toBe(0)
    const html = readFileSync(page, 'utf8')
    expect(html).not.toContain('<script')
    expect(html).toContain('a&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;.weight')
    expect(html).not.toMatch(/https?:|url\(|@import|src=|href=/)
    expect(html.match(/<svg /g)).toHaveLength(3)
  })

  it('reads nothing but headers, or only some tensors, on request', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const json = async (...args: string[]) =>
      JSON.parse((await deepgemm(['inspect', folder.in('bf16'), '--json', ...args])).stdout)
    const headers = await json('--headers')
    expect(headers.tensors).toHaveLength(6)
    expect(headers.tensors.some(({ values }: { values?: object }) => values)).toBe(false)
    const some = await json('--include', 'experts')
    const read = some.tensors.filter(({ values }: { values?: object }) => values)
    expect(read.map(({ name }: { name: string }) => name)).toEqual([
      'model.layers.0.mlp.experts.weight',
    ])
    expect(read[0].values).toMatchObject({ count: 3 * 130 * 128, nonFinite: 0, zeros: 0 })
    expect(read[0].values.rms).toBeCloseTo(1, 1)
  })

  it('fails when weights hold NaN, and names them', async () => {
    using folder = scratchFolder()
    await writeOutlier(folder.in('bf16'), 'bad.weight', Number.NaN)
    const { code, stdout } = await deepgemm(['inspect', folder.in('bf16')])
    expect(code).toBe(1)
    expect(stdout).toMatch(/bad\.weight holds NaN or infinity: 1 of 98304 values/)
  })

  it.each([
    [['inspect', '/nowhere'], 1, /\/nowhere/],
    [['inspect', '.', '--top', '0'], 2, /--top has a wrong value/],
    [['inspect', '.', '--include', '('], 2, /--include is not a regular expression/],
    [['inspect'], 2, /Missing required args/],
    [
      ['inspect', MODEL, '--report', '/nowhere/x.html'],
      2,
      /--report cannot be written there: given/,
    ],
    [['inspect', join(MODEL, 'config.json')], 1, /config\.json"/],
  ])('refuses %j with a sentence', async (args, code, message) => {
    const outcome = await deepgemm(args)
    expect(outcome.code).toBe(code)
    expect(outcome.stderr).toMatch(message)
    expect(outcome.stderr).not.toMatch(/\n\s+at /)
  })
})

describe('a checkpoint larger than the memory that is left', () => {
  beforeAll(buildCli, 120_000)

  // A sanitizer needs memory of its own.
  it.skipIf(process.env['SANITIZER'] !== undefined)(
    'is inspected a piece at a time',
    async () => {
      using folder = scratchFolder()
      const file = folder.in('big.safetensors')
      const bytes = 2 ** 29
      const weight = { dtype: 'BF16', shape: [2 ** 14, 2 ** 14], data_offsets: [0, bytes] }
      const header = Buffer.from(JSON.stringify({ 'big.weight': weight }).padEnd(128))
      const size = Buffer.alloc(8)
      size.writeBigUInt64LE(128n)
      writeFileSync(file, Buffer.concat([size, header]))
      // Sparse: the file system makes up the zeros.
      truncateSync(file, 136 + bytes)
      const script = `
      const { run, processTerminal } = await import(${JSON.stringify(MAIN.replace('main.js', 'index.js'))})
      const { signal } = new AbortController()
      const code = await run(process.argv.slice(2), '0', (json) => processTerminal(json, signal))
      console.log(code, process.resourceUsage().maxRSS * 1024)`
      writeFileSync(folder.in('run.mjs'), script)
      const args = [folder.in('run.mjs'), 'inspect', file]
      const { stdout } = await promisify(execFile)(process.execPath, args)
      const [code, peak] = (stdout.trim().split('\n').at(-1) as string).split(' ').map(Number)
      expect(code).toBe(0)
      expect(peak).toBeLessThan(0.75 * bytes)
    },
    120_000,
  )
})

describe('the statistics of a checkpoint', () => {
  it('count what lies beyond six times the rms, and nothing that is normal', () => {
    const statistics = new ValueStatistics({ groups: 1, rows: 100, columns: 1000 })
    const values = normalArray(createRandom(1), 100_000)
    values.set([50, -60, 70], 5)
    statistics.add(values, 0, 0)
    const { outliers, amax, rms, count } = statistics.finish()
    expect(outliers).toBeCloseTo(3 / 100_000, 8)
    expect([amax, count]).toEqual([70, 100_000])
    expect(rms).toBeCloseTo(Math.hypot(...values) / Math.sqrt(count), 6)
  })

  it('are the same however the tensor is cut into pieces', () => {
    const values = normalArray(createRandom(2), 300 * 70)
    const whole = new ValueStatistics({ groups: 2, rows: 150, columns: 70 })
    whole.add(values.subarray(0, 150 * 70), 0, 0)
    whole.add(values.subarray(150 * 70), 1, 0)
    const pieces = new ValueStatistics({ groups: 2, rows: 150, columns: 70 })
    for (const [group, row, rows] of [
      [0, 0, 128],
      [0, 128, 22],
      [1, 0, 128],
      [1, 128, 22],
    ] as const) {
      const from = (group * 150 + row) * 70
      pieces.add(values.subarray(from, from + rows * 70), group, row)
    }
    expect(pieces.finish().blocks).toEqual(whole.finish().blocks)
    expect(whole.finish().blocks).toMatchObject({ rows: 4, columns: 1 })
  })

  it('tell scales that are powers of two, and those that lose their block', () => {
    const stats = scaleStatistics('F32', Float32Array.of(0.5, 2, 0, -1, Number.NaN, 8))
    expect(stats).toMatchObject({ min: 0.5, median: 2, max: 8, powersOfTwo: true, bad: 3 })
    expect(scaleStatistics('F32', Float32Array.of(0.5, 0.7)).powersOfTwo).toBe(false)
    expect(scaleStatistics('F32', new Float32Array()).powersOfTwo).toBe(false)
  })

  it('draw every cell of a grid once, and no more than 48 either way', () => {
    const values = Float32Array.from({ length: 6 }, (_, i) => 2 ** i)
    const small = heatMap({ rows: 2, columns: 3, values }, 'x')
    expect(small).toContain('viewBox="0 0 3 2"')
    expect(small.match(/M\d+ \d+/g)).toHaveLength(6)
    const large = heatMap({ rows: 100, columns: 90, values: new Float32Array(9000).fill(3) }, 'x')
    expect(large.match(/M\d+ \d+/g)).toHaveLength(48 * 48)
  })

  it('say shares and lengths shortly', () => {
    expect([0, 2e-6, 1.234e-4, 0.02].map(shareText)).toEqual(['0', '2.0 ppm', '123 ppm', '2.0 %'])
    expect([0, 0.5, 1, 9].map((share) => textBar(share, 2))).toEqual(['', '█', '██', '██'])
    expect(escapeText('<a b="c">&')).toBe('&lt;a b=&quot;c&quot;&gt;&amp;')
  })
})
