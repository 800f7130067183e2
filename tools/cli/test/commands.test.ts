import { beforeAll, describe, expect, it } from 'vitest'
import { deepgemm, MODEL, scratchFolder, writeCheckpoint, writeZeros } from './helpers.js'

const SMALL = ['--m', '1', '--n', '1', '--k', '1']

describe('deepgemm', () => {
  it.each([
    [['frobnicate'], /no such command: given frobnicate; allowed quantize/],
    [
      ['gemm', ...SMALL, '--speed', '9'],
      /Unknown option --speed: allowed --m <rows>, .*gemm --help explains/,
    ],
    [['gemm', ...SMALL, '--m', '2'], /--m has a wrong value: given 2 values/],
    [
      ['gemm', '--m', '0', '--n', '1', '--k', '1'],
      /--m has a wrong value: given 0; allowed a whole/,
    ],
    [['gemm', '--m', '1', '--n', '1'], /--k is missing/],
    [
      ['gemm', '--m', '1048576', '--n', '1048576', '--k', '1'],
      /too large.*given 1048576 x 1048576 of D; allowed at most/,
    ],
    [['gemm', ...SMALL, '--out', 'f64'], /given f64; allowed bf16, f32/],
    [['gemm', ...SMALL, '--out', ''], /An argument is empty: given nothing after --out/],
    [['quantize', 'somewhere'], /--output is missing/],
    [['quantize'], /Missing required args.*: allowed deepgemm quantize <folder>/],
    [['quantize', 'a', '-o', 'b', '--exclude', '('], /--exclude is not a regular expression/],
    [['verify', 'a', 'b', '--max-error', 'tiny'], /--max-error has a wrong value: given tiny/],
  ])('refuses %j as wrong usage, with a sentence', async (args, message) => {
    const { code, stderr } = await deepgemm(args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it('shows the stack of an error only with --debug', async () => {
    const { code, stderr } = await deepgemm(['verify', '/nowhere', '/nowhere', '--debug'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/\n\s+at /)
  })

  it('leaves nothing behind when it is interrupted', async () => {
    using folder = scratchFolder()
    await writeZeros(folder.in('bf16'), [16384, 4096])
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 10)
    const args = ['quantize', folder.in('bf16'), '-o', folder.in('fp8')]
    expect((await deepgemm(args, { signal: abort.signal })).code).toBe(130)
    expect(folder.list()).toEqual(['bf16'])
  })
})

describe('deepgemm gemm', () => {
  it('checks and times a product', async () => {
    const args = ['gemm', '--m', '33', '--n', '70', '--k', '300', '--repeats', '3']
    const { code, stdout } = await deepgemm(args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/D \[33, 70\] = A \[33, 300\] x B \[70, 300\] transposed, on CPU/)
    expect(stdout).toMatch(/GFLOP\/s/)
    expect(stdout).toMatch(/correct$/m)
  })

  it('prints numbers for machines, and nothing else, with --json', async () => {
    const args = ['gemm', ...SMALL, '--out', 'f32', '--threads', '1', '--json']
    const result = JSON.parse((await deepgemm(args)).stdout)
    expect(result).toMatchObject({ m: 1, n: 1, k: 1, passed: true, checked: 1 })
    expect(result.maxError).toBeLessThanOrEqual(result.errorBound)
  })
})

describe('deepgemm generate', () => {
  it('writes the same text for the same seed', async () => {
    const args = ['generate', MODEL, '--prompt', 'The whale', '--max-tokens', '12', '--json']
    const [first, second] = await Promise.all([deepgemm(args), deepgemm(args)])
    const { text, tokens } = JSON.parse(first.stdout)
    expect(JSON.parse(second.stdout).text).toBe(text)
    expect(tokens).toBeGreaterThan(0)
  })

  it('runs without the library as well, to compare', async () => {
    const args = ['generate', MODEL, '--prompt', 'It was', '--max-tokens', '4', '--json']
    const result = JSON.parse((await deepgemm([...args, '--engine', 'reference'])).stdout)
    expect(result.engine).toBe('f32 reference')
  })

  it('refuses an endless prompt, and a folder that is no model', async () => {
    const generate = (folder: string, prompt: string): ReturnType<typeof deepgemm> =>
      deepgemm(['generate', folder, '--prompt', prompt])
    expect((await generate(MODEL, 'word '.repeat(400))).stderr).toMatch(/prompt does not fit/)
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const { code, stderr } = await generate(folder.in('bf16'), 'x')
    expect(code).toBe(1)
    expect(stderr).toMatch(/tokenizer\.json/)
  })
})

describe('deepgemm demo', () => {
  const run = (options: readonly string[], interactive = false): ReturnType<typeof deepgemm> =>
    deepgemm(['demo', MODEL, '--tokens', '300', ...options], { interactive })

  let human: Awaited<ReturnType<typeof deepgemm>>

  beforeAll(async () => {
    human = await run([], true)
  }, 60_000)

  it('quantises, verifies, measures and writes, and sums it up', async () => {
    const { code, stdout } = await run(['--json'])
    expect(code).toBe(0)
    const summary = JSON.parse(stdout)
    expect(summary.bytesAfter).toBeLessThan(summary.bytesBefore)
    expect(summary.worstLayer.error).toBeLessThan(1e-3)
    expect(Math.abs(summary.perplexityChange)).toBeLessThan(0.01)
    expect(summary.text.length).toBeGreaterThan(0)
    expect(summary.device).toMatch(/^CPU/)
  })

  it('tells people every step and draws a table', () => {
    expect(human.code).toBe(0)
    for (const step of ['1. Quantise', '2. Verify', '3. Perplexity', '4. Generate', '5. Summary']) {
      expect(human.stdout).toContain(step)
    }
    expect(human.stdout).toMatch(/│ perplexity +│ [\d.]+ -> [\d.]+ \([+-][\d.]+ %\)/)
  })
})
