import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { parseOptions, SECTIONS } from '../src/options.js'
import { run } from '../src/run.js'

const signal = new AbortController().signal

async function ran(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const code = await run(args, { stdout, stderr, signal })
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

describe('the command line', () => {
  it('has defaults for everything but what to measure', () => {
    expect(parseOptions(['cpu'])).toEqual({
      target: 'cpu',
      out: undefined,
      quick: false,
      pairs: 9,
      threads: [1, 2],
      sections: SECTIONS,
      peers: true,
    })
    expect(parseOptions(['cpu', '--quick']).pairs).toBe(3)
  })

  it('takes lists, each value once', () => {
    const options = parseOptions(['cpu', '--threads', '2,1,2', '--sections', 'casts,gemm'])
    expect(options.threads).toEqual([2, 1])
    expect(options.sections).toEqual(['casts', 'gemm'])
  })

  it.each([
    [[], 'cpu'],
    [['tpu'], 'cpu, gpu or gpu-moe'],
    [['cpu', 'cpu'], 'cpu'],
    [['cpu', '--pairs', '0'], '1 to 1000'],
    [['cpu', '--pairs', '2.5'], '1 to 1000'],
    [['cpu', '--threads', '1,'], 'nothing'],
    [['cpu', '--threads', '-1'], '--threads'],
    [['cpu', '--sections', 'gemm,tea'], SECTIONS.join(', ')],
    [['cpu', '--out', ''], '--out'],
    [['cpu', '--fast'], '--fast'],
    [['cpu', '--out'], '--out'],
  ])('refuses %j with a sentence that has %s in it', async (args, part) => {
    const { code, out, err } = await ran(args)
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toContain(part)
    expect(err.trim().split('\n')).toHaveLength(1)
  })

  it('explains itself', async () => {
    const { code, out } = await ran(['--help'])
    expect(code).toBe(0)
    for (const option of [
      '--out',
      '--quick',
      '--pairs',
      '--threads',
      '--sections',
      '--no-peers',
      '--only',
    ]) {
      expect(out).toContain(option)
    }
  })
})
