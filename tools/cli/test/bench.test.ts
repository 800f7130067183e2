import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseResult, type SuiteResult } from '@deepgemm/bench'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { modelProblems, takesOn } from '../src/bench/problems.js'
import { MODEL_NAMES, namedModel } from '../src/warm/models.js'
import { deepgemm, scratchFolder, writeCheckpoint } from './helpers.js'

const cache = scratchFolder()
beforeAll(() => {
  vi.stubEnv('XDG_CACHE_HOME', cache.path)
})
afterAll(() => {
  vi.unstubAllEnvs()
  cache[Symbol.dispose]()
})

const QUICK = ['--rounds', '2', '--peers', 'none', '--device', 'cpu', '--threads', '1']
const SMALL = ['bench', '--m', '1,4', '--n', '64', '--k', '128', ...QUICK]

describe('deepgemm bench', () => {
  it('prints a table, and writes figures and a page', async () => {
    using folder = scratchFolder()
    const files = ['--out', folder.in('a.json'), '--report', folder.in('a.html')]
    const { code, stdout, stderr } = await deepgemm([...SMALL, ...files])
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('Measured 2'),
    })
    expect(stdout).toMatch(/^layer\tM × N × K\tours\tnoise\tGFLOP\/s\tof the roof\terror\tconfig$/m)
    expect(stdout).toMatch(/^given\t4 × 64 × 128\t/m)
    const result = parseResult(readFileSync(folder.in('a.json'), 'utf8'), 'a.json')
    expect(result.meta).toMatchObject({ kind: 'cpu', parallelism: 1, rounds: 2, set: '64 x 128' })
    expect(result.rows.map(({ m }) => m)).toEqual([1, 4])
    const html = readFileSync(folder.in('a.html'), 'utf8')
    expect(html).toContain('4 × 64 × 128')
    expect(html).not.toMatch(/(src|href)="http/)
    expect(folder.list()).toEqual(['a.html', 'a.json'])
  }, 120_000)

  it('measures the layers of a checkpoint, and prints its figures as JSON', async () => {
    using folder = scratchFolder()
    await writeCheckpoint(folder.in('bf16'))
    const { code, stdout } = await deepgemm([
      'bench',
      folder.in('bf16'),
      '--m',
      '3',
      ...QUICK,
      '--json',
    ])
    expect(code).toBe(0)
    const { rows } = JSON.parse(stdout) as SuiteResult
    expect(rows).toMatchObject([{ layer: 'layers.*.mlp.down_proj', m: 3, n: 200, k: 300 }])
  }, 120_000)

  it('goes on where it was interrupted', async () => {
    const abort = new AbortController()
    const args = ['bench', '--m', '1,2,3,4,5,6,7,8', '--n', '64', '--k', '256', ...QUICK]
    const timer = setInterval(() => {
      if (measuredRows() > 1) abort.abort()
    }, 5)
    const first = await deepgemm(args, { signal: abort.signal })
    clearInterval(timer)
    expect(first.code).toBe(130)
    expect(first.stderr).toMatch(/[1-8] of 8 products are measured; the same command goes on/)
    const second = await deepgemm(args)
    expect(second.code).toBe(0)
    expect(second.stderr).toMatch(/[1-8] of 8 products were measured before an interruption/)
    expect(measuredRows()).toBe(0)
  }, 120_000)

  it.each([
    [['bench', '--n', '64'], /--k is missing/],
    [['bench', '--m', '0'], /--m has a wrong value: given 0; allowed up to 64 whole/],
    [['bench', '--m', '1,x'], /--m has a wrong value: given 1,x/],
    [['bench', 'deepseek-v3', '--n', '1', '--k', '1'], /A model has its own --n and --k/],
    [['bench', '--peers', 'blas'], /--peers has a wrong value: given blas; allowed onnxruntime/],
    [['bench', '--rounds', '0'], /--rounds has a wrong value/],
    [['bench', '--out', '/nowhere/a.json'], /file of --out cannot be written there: .*ENOENT/],
    [['bench', '/nowhere'], /no such model: given \/nowhere; allowed the folder .*deepseek-v3/],
    [['bench', 'compare', 'a.json'], /Missing required args/],
    [['bench', 'report', 'a.json'], /--report is missing/],
    [['bench', '--faster'], /Unknown option --faster/],
  ])('refuses %j as wrong usage', async (args, message) => {
    const { code, stderr } = await deepgemm(args)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })
})

/** Rows in the journals of interrupted runs. */
function measuredRows(): number {
  const runs = `${cache.path}/deepgemm-bench/runs`
  const files = existsSync(runs) ? readdirSync(runs) : []
  const texts = files.map((name) => readFileSync(`${runs}/${name}`, 'utf8'))
  return texts.join('').split('"figures"').length - 1
}

describe('deepgemm bench compare', () => {
  it('tells what changed and what is noise; ends with 1 when something is slower', async () => {
    using folder = scratchFolder()
    const [before, after] = [folder.in('before.json'), folder.in('after.json')]
    expect((await deepgemm([...SMALL, '--out', before])).code).toBe(0)
    const result = JSON.parse(readFileSync(before, 'utf8')) as SuiteResult
    const slower = result.rows.map((row) => ({
      ...row,
      figures: { ours: { us: [9e5, 9e5], error: 1e-6 } },
    }))
    writeFileSync(after, JSON.stringify({ ...result, rows: slower }))
    const same = await deepgemm(['bench', 'compare', before, before])
    expect(same).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/0 faster, 0 slower, 2 within/),
    })
    expect(same.stderr).toMatch(/2 rounds are too few to be sure/)
    const worse = await deepgemm(['bench', 'compare', before, after, '--json'])
    expect(worse.code).toBe(1)
    expect(JSON.parse(worse.stdout).rows).toMatchObject([
      { verdict: 'slower' },
      { verdict: 'slower' },
    ])
    expect((await deepgemm(['bench', 'compare', after, before])).stdout).toMatch(
      /2 faster, 0 slower/,
    )
  }, 120_000)

  it('draws a page of figures that were kept', async () => {
    using folder = scratchFolder()
    await deepgemm([...SMALL, '--out', folder.in('a.json')])
    const args = ['bench', 'report', folder.in('a.json'), '--report', folder.in('b.html')]
    expect((await deepgemm(args)).code).toBe(0)
    expect(readFileSync(folder.in('b.html'), 'utf8')).toContain('<!doctype html>')
    writeFileSync(folder.in('c.json'), '{}')
    const other = ['bench', 'report', folder.in('c.json'), '--report', folder.in('c.html')]
    const { code, stderr } = await deepgemm(other)
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/no result/) })
    expect((await deepgemm(['bench', 'report', '/nowhere.json', '--report', 'x.html'])).code).toBe(
      1,
    )
  }, 120_000)
})

describe('the problem set of a model', () => {
  const settings = { rows: [1, 512], experts: 8, takes: takesOn('cuda') }

  it.each(MODEL_NAMES)('%s says where its shapes are from', (name) => {
    const products = namedModel(name)
    const { cases, source } = modelProblems(name, products ?? fail(name), settings)
    expect(source).toMatch(/config\.json of /)
    expect(cases.length).toBeGreaterThan(3)
    for (const { n, k } of cases) expect([n % 8, k % 16]).toEqual([0, 0])
  })

  it('spreads tokens over experts, of which one device has a share', () => {
    const products = namedModel('deepseek-v3') ?? fail('deepseek-v3')
    const { cases } = modelProblems('deepseek-v3', products, settings)
    const grouped = cases.filter(({ problem }) => problem === 'contiguous')
    expect(grouped).toEqual([
      { layer: 'experts: gate and up', problem: 'contiguous', m: 16, n: 4096, k: 7168, groups: 8 },
      { layer: 'experts: down', problem: 'contiguous', m: 16, n: 7168, k: 2048, groups: 8 },
    ])
  })

  it('leaves out what a GPU cannot multiply', () => {
    const layer = { name: 'odd', n: 13, k: 100, experts: 1 }
    const set = (kind: string) =>
      modelProblems(
        'x',
        { layers: [layer], moe: [], floats: [] },
        { ...settings, takes: takesOn(kind) },
      )
    expect(set('cuda').cases).toEqual([])
    expect(set('cpu').cases).toHaveLength(2)
  })
})

function fail(name: string): never {
  throw new Error(`${name} is not there`)
}
