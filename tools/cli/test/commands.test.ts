import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildCli, deepgemm, MODEL, scratchFolder, writeCheckpoint, writeZeros } from './helpers.js'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

beforeAll(buildCli, 120_000)

describe('deepgemm', () => {
  it('explains its commands', async () => {
    const { code, stdout } = await deepgemm(['--help'])
    expect(code).toBe(0)
    for (const command of [
      'quantize',
      'dequantize',
      'verify',
      'generate',
      'gemm',
      'doctor',
      'demo',
    ]) {
      expect(stdout).toContain(command)
    }
  })

  it('shows its help and fails without a command', async () => {
    const { code, stdout } = await deepgemm([])
    expect(code).toBe(2)
    expect(stdout).toContain('Usage')
  })

  it('tells its version', async () => {
    expect((await deepgemm(['--version'])).stdout).toMatch(/\d+\.\d+\.\d+/)
  })

  it.each([
    [['frobnicate'], /no such command: given frobnicate; allowed quantize/],
    [['gemm', '--m', '1', '--n', '1', '--k', '1', '--speed', '9'], /Unknown option `--speed`/],
    [
      ['gemm', '--m', '0', '--n', '1', '--k', '1'],
      /--m has a wrong value: given 0; allowed a whole/,
    ],
    [['gemm', '--m', '1', '--n', '1'], /--k is missing/],
    [['gemm', '--m', '1', '--n', '1', '--k', '1', '--out', 'f64'], /given f64; allowed bf16, f32/],
    [['quantize', 'somewhere'], /--output is missing/],
    [['quantize'], /missing required args/],
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

  it('is quiet when the reader of its output goes away', async () => {
    const child = spawn(process.execPath, [main, 'doctor'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (part) => {
      stderr += part
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(stderr).toBe('')
  })

  it('leaves nothing behind when it is interrupted', async () => {
    using folder = scratchFolder()
    await writeZeros(folder.in('bf16'), [16384, 4096])
    const args = [main, 'quantize', folder.in('bf16'), '-o', folder.in('fp8')]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.once('data', () => child.kill('SIGINT'))
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    const { code: opened } = await deepgemm(['verify', folder.in('fp8'), folder.in('bf16')])
    expect(opened).toBe(1)
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
    const args = ['gemm', '--m', '1', '--n', '1', '--k', '1', '--out', 'f32', '--threads', '1']
    const result = JSON.parse((await deepgemm([...args, '--json'])).stdout)
    expect(result).toMatchObject({ m: 1, n: 1, k: 1, passed: true, checked: 1 })
    expect(result.maxError).toBeLessThanOrEqual(result.errorBound)
  })

  it('says when a device is not here', async () => {
    const args = ['gemm', '--m', '1', '--n', '1', '--k', '1', '--device', 'cuda']
    const { code, stderr } = await deepgemm(args)
    expect(code).toBe(1)
    expect(stderr).toMatch(/no such device here: given cuda/)
  })
})

describe('deepgemm doctor', () => {
  it('finds a healthy machine', async () => {
    const { code, stdout } = await deepgemm(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/ok {2}Device cpu: .*self-test correct/)
  })

  it('tells what is wrong with the addon, and what to do', async () => {
    const env = { DEEPGEMM_NATIVE: '/nowhere/addon.node' }
    const { code, stdout } = await deepgemm(['doctor', '--json'], env)
    expect(code).toBe(1)
    const { healthy, findings } = JSON.parse(stdout)
    expect(healthy).toBe(false)
    expect(findings).toContainEqual({
      name: 'Native addon',
      ok: false,
      detail: expect.stringMatching(/DEEPGEMM_NATIVE.*\/nowhere\/addon\.node.*unset it/),
    })
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

  it('refuses an empty or endless prompt, and a folder that is no model', async () => {
    const generate = (folder: string, prompt: string) =>
      deepgemm(['generate', folder, '--prompt', prompt])
    expect((await generate(MODEL, '')).stderr).toMatch(/--prompt/)
    expect((await generate(MODEL, 'word '.repeat(400))).stderr).toMatch(/prompt does not fit/)
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const { code, stderr } = await generate(folder.in('bf16'), 'x')
    expect(code).toBe(1)
    expect(stderr).toMatch(/tokenizer\.json/)
  })
})

describe('deepgemm demo', () => {
  it('quantises, verifies, measures and writes, and sums it up', async () => {
    const { code, stdout } = await deepgemm(['demo', MODEL, '--tokens', '512', '--json'])
    expect(code).toBe(0)
    const summary = JSON.parse(stdout)
    expect(summary.bytesAfter).toBeLessThan(summary.bytesBefore)
    expect(summary.worstLayer.error).toBeLessThan(1e-3)
    expect(Math.abs(summary.perplexityChange)).toBeLessThan(0.01)
    expect(summary.text.length).toBeGreaterThan(0)
    expect(summary.device).toMatch(/^CPU/)
  })
})
