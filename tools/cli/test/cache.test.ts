import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MODEL_SHAPES } from '@deepgemm/testing'
import { Checkpoint, Device, MoeLayer, planGemm, planGroupedGemm, quantize } from 'deepgemm'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { installFakeCuda } from '../../../packages/runtime/test/support/fake-cuda.js'
import { configText } from '../src/cache/describe.js'
import { formatAge } from '../src/output/format.js'
import { planWarmUp, type WarmTarget } from '../src/warm/kernels.js'
import { patternOf } from '../src/warm/layers.js'
import { MODEL_NAMES, namedModel } from '../src/warm/models.js'
import { deepgemm, MODEL, type ScratchFolder, scratchFolder, writeCheckpoint } from './helpers.js'

let folder: ScratchFolder
const entries = (): string => join(folder.in('kernels'), 'v1')
const files = (ending: string): string[] =>
  existsSync(entries()) ? readdirSync(entries()).filter((name) => name.endsWith(ending)) : []

/** The fake driver's library answers for NVRTC: cubins are made at once. */
beforeAll(async () => {
  await installFakeCuda()
}, 300_000)

beforeEach(() => {
  folder = scratchFolder()
  vi.stubEnv('DEEPGEMM_CACHE_DIR', folder.in('kernels'))
  vi.stubEnv('DEEPGEMM_COMPILER', 'nvrtc')
})

afterEach(() => {
  folder[Symbol.dispose]()
})

const warm = (...args: string[]): ReturnType<typeof deepgemm> =>
  deepgemm(['cache', 'warm', ...args])

describe('deepgemm cache warm', () => {
  it('compiles what a plan for the same tokens loads, so that planning compiles nothing', async () => {
    expect((await warm(MODEL, '--max-tokens', '512')).code).toBe(0)
    const warmed = files('.cubin')
    expect(warmed.length).toBeGreaterThan(3)
    await using device = await Device.open({ kind: 'cuda' })
    await planGemm(device, { n: 256, k: 256, m: { max: 512 } })
    using rows = device.zeros({ dtype: 'bf16', shape: [16, 256] })
    using _ = await quantize(device, rows, '1x128')
    expect(files('.cubin')).toEqual(warmed)
  })

  it.each([512, 20, 8])(
    'compiles all that a mixture of experts of %i tokens loads',
    async (tokens) => {
      expect((await warm(MODEL, '--max-tokens', String(tokens))).code).toBe(0)
      const warmed = files('.cubin')
      await using device = await Device.open({ kind: 'cuda' })
      await using checkpoint = await Checkpoint.open(MODEL)
      const capacity = { maxTokens: tokens }
      const layer = await MoeLayer.load(device, checkpoint, 'model.layers.1.mlp', capacity)
      using x = device.zeros({ dtype: 'bf16', shape: [tokens, 256] })
      using _ = layer.run(x)
      await device.synchronize()
      layer.dispose()
      expect(files('.cubin').filter((name) => !warmed.includes(name))).toEqual([])
    },
  )

  it.each(['contiguous', 'packed', 'masked'] as const)(
    'compiles all that %s products of a stack of experts load',
    async (layout) => {
      await writeCheckpoint(folder.in('stack'), {
        'model.layers.0.mlp.experts.weight': [4, 256, 128],
      })
      const outs = ['--outs', 'bf16,f32']
      const args = [folder.in('stack'), '--max-tokens', '64', '--layouts', layout, ...outs]
      expect((await warm(...args)).code).toBe(0)
      const warmed = files('.cubin')
      await using device = await Device.open({ kind: 'cuda' })
      const shape = { layout, groups: 4, n: 256, k: 128, m: { max: 64 } }
      for (const out of ['bf16', 'f32'] as const) await planGroupedGemm(device, { ...shape, out })
      expect(files('.cubin')).toEqual(warmed)
    },
  )

  it('says how many kernels there are and why, and compiles none of them a second time', async () => {
    const dry = await warm('qwen3-moe', '--dry-run', '--multiprocessors', '132')
    expect(dry.stdout).toMatch(/3 of 3 kinds of layer, 1 to 4096 tokens, 132 multiprocessors: /)
    expect(dry.stdout).toMatch(/(\d+) kernels, 0 in the cache, \1 to compile/)
    expect(dry.stdout).toMatch(/to compile\tq, k and v, attention output/)
    expect(files('.cubin')).toEqual([])
    const first = JSON.parse((await warm('qwen3-moe', '--json')).stdout)
    expect(first.compiled).toBe(first.kernels.length)
    const second = JSON.parse((await warm('qwen3-moe', '--json')).stdout)
    expect(second.compiled).toBe(0)
  })

  it('starts no further kernel after Ctrl-C', async () => {
    const abort = new AbortController()
    abort.abort()
    const { code } = await deepgemm(['cache', 'warm', MODEL], { signal: abort.signal })
    expect(code).toBe(130)
    expect(files('.cubin')).toEqual([])
  })

  it.each([
    [['cache', 'warm', '/nowhere'], 2, /no such model: given \/nowhere; allowed the folder of/],
    [
      ['cache', 'warm', 'gpt-9'],
      2,
      /allowed the folder of a checkpoint, or deepseek-v3, qwen3-moe/,
    ],
    [['cache', 'warm', MODEL, '--max-tokens', '0'], 2, /--max-tokens has a wrong value: given 0/],
    [
      ['cache', 'warm', MODEL, '--outs', 'f16'],
      2,
      /--outs has a wrong value: given f16; allowed bf16, f32/,
    ],
    [['cache', 'warm', MODEL, '--layouts', 'packed,x'], 2, /--layouts has a wrong value: given x/],
    [['cache', 'warm'], 2, /Missing required args/],
    [['cache'], 2, /no such action: given none; allowed ls, path, warm/],
    [['cache', 'melt'], 2, /no such action: given melt/],
    [['cache', 'import', '/nowhere/b'], 1, /bundle cannot be read: given \/nowhere\/b/],
    [['cache', 'export', '/nowhere/b'], 1, /bundle could not be written/],
    [['cache', 'prune', '--max-mb', 'few'], 2, /--max-mb has a wrong value: given few/],
  ])('refuses %j with a sentence', async (args, code, message) => {
    const outcome = await deepgemm(args)
    expect(outcome.code).toBe(code)
    expect(outcome.stderr).toMatch(message)
    expect(outcome.stderr).not.toMatch(/\n\s+at /)
  })

  it('says where a compiler was looked for when there is none', async () => {
    vi.stubEnv('DEEPGEMM_COMPILER', 'nvcc')
    vi.stubEnv('DEEPGEMM_NVCC', '/nowhere/nvcc')
    const { code, stderr } = await warm(MODEL)
    expect(code).toBe(1)
    expect(stderr).toMatch(/no CUDA compiler[\s\S]*\/nowhere\/nvcc[\s\S]*import a bundle/)
  })
})

describe('deepgemm cache', () => {
  beforeEach(async () => {
    await warm(MODEL, '--max-tokens', '64')
  })

  it('lists kernels with config, compiler, size and last use', async () => {
    const { code, stdout } = await deepgemm(['cache', 'ls'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/fp8_gemm\t64x\d+ .*stages=\d+.*\tnvrtc [\d.]+\t.*B\tjust now/)
    expect(stdout).toContain(`${files('.cubin').length} kernels`)
    expect(stdout).toContain(folder.in('kernels'))
    const { entries: listed } = JSON.parse((await deepgemm(['cache', 'ls', '--json'])).stdout)
    expect(listed).toHaveLength(files('.cubin').length)
  })

  it('prints its path, and fails when nothing can be kept', async () => {
    expect((await deepgemm(['cache', 'path'])).stdout).toBe(`${folder.in('kernels')}\n`)
    symlinkSync('/proc', folder.in('refused'))
    vi.stubEnv('DEEPGEMM_CACHE_DIR', folder.in('refused'))
    const { code, stdout, stderr } = await deepgemm(['cache', 'path'])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/refused is not used: /)
  })

  it('finds a damaged kernel, removes it on request, and is content afterwards', async () => {
    const [victim] = files('.cubin')
    writeFileSync(join(entries(), victim as string), 'damaged')
    const found = await deepgemm(['cache', 'verify'])
    expect(found.code).toBe(1)
    expect(found.stdout).toMatch(/its cubin cannot be used/)
    const removed = await deepgemm(['cache', 'verify', '--remove'])
    expect(removed.code).toBe(0)
    expect(removed.stdout).toMatch(/\(removed\)/)
    expect((await deepgemm(['cache', 'verify'])).stdout).toMatch(/all sound/)
    expect(files('.cubin')).not.toContain(victim)
  })

  it('carries all kernels to a machine without a compiler', async () => {
    const bundle = folder.in('kernels.bundle')
    const before = files('.cubin')
    expect((await deepgemm(['cache', 'export', bundle])).code).toBe(0)
    vi.stubEnv('DEEPGEMM_CACHE_DIR', folder.in('elsewhere'))
    const { code, stdout } = await deepgemm(['cache', 'import', bundle])
    expect(code).toBe(0)
    expect(stdout).toContain(`${before.length} kernels imported`)
    expect(readdirSync(join(folder.in('elsewhere'), 'v1')).sort()).toEqual(
      [...before, ...before.map((name) => name.replace('.cubin', '.json'))].sort(),
    )
    // No compiler at all: what was imported is what plans find.
    vi.stubEnv('DEEPGEMM_COMPILER', 'nvcc')
    vi.stubEnv('DEEPGEMM_NVCC', '/nowhere/nvcc')
    await using device = await Device.open({ kind: 'cuda' })
    const plan = await planGemm(device, { n: 256, k: 256, m: { max: 64 } })
    expect(plan.configs.length).toBeGreaterThan(0)
  })

  it('refuses a bundle that was changed, and imports nothing of it', async () => {
    const bundle = folder.in('kernels.bundle')
    await deepgemm(['cache', 'export', bundle])
    const bytes = readFileSync(bundle)
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
    writeFileSync(bundle, bytes)
    vi.stubEnv('DEEPGEMM_CACHE_DIR', folder.in('elsewhere'))
    const { code, stderr } = await deepgemm(['cache', 'import', bundle])
    expect(code).toBe(1)
    expect(stderr).toMatch(/bundle is damaged/)
    expect(readdirSync(join(folder.in('elsewhere'), 'v1'))).toEqual([])
  })

  it('prunes to a size', async () => {
    const { code, stdout } = await deepgemm(['cache', 'prune', '--max-mb', '0'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/\d+ kernels removed/)
    expect(files('.cubin')).toEqual([])
  })
})

const NONE = { layers: [], moe: [], floats: [] }
const TARGET: WarmTarget = {
  ...{ maxTokens: 8, multiprocessors: 132, outs: ['bf16'], layouts: ['contiguous'] },
}

describe('what a warm-up is planned from', () => {
  it('has the shapes of named models that the tests of the library use', () => {
    expect(MODEL_NAMES).toEqual(expect.arrayContaining(Object.keys(MODEL_SHAPES)))
    for (const [name, { layers, topK }] of Object.entries(MODEL_SHAPES)) {
      const { layers: dense = [], moe = [] } = namedModel(name) ?? {}
      const [experts] = moe
      if (experts === undefined) throw new Error(`${name} has no experts`)
      const { hidden, intermediate, shared } = experts
      const swiglu = (prefix: string, width: number, count: number) => [
        { name: `${prefix} gate and up`, n: 2 * width, k: hidden, experts: count },
        { name: `${prefix} down`, n: hidden, k: width, experts: count },
      ]
      const own = shared === undefined ? [] : swiglu('shared', shared, 1)
      const all = [...dense, ...own, ...swiglu('expert', intermediate, experts.experts)]
      expect(all).toEqual(layers)
      expect(experts.topK).toBe(topK)
    }
  })

  it('takes layers apart by what stands between the numbers of their names', () => {
    expect(patternOf('model.layers.12.mlp.experts.7.down_proj.weight')).toBe(
      'layers.*.mlp.experts.*.down_proj',
    )
  })

  it('needs every kernel once, however many layers use it', () => {
    const layer = { name: 'a', n: 4096, k: 4096, experts: 1 }
    const target = { ...TARGET, maxTokens: 128 }
    const one = planWarmUp({ ...NONE, layers: [layer] }, target)
    const two = planWarmUp({ ...NONE, layers: [layer, { ...layer, name: 'b' }] }, target)
    expect(two.kernels).toHaveLength(one.kernels.length)
    expect(two.kernels[0]?.reasons).toEqual(['a', 'b'])
  })

  it('needs kernels for every layout of a stack of experts and for every output', () => {
    const stack = { name: 'experts', n: 1024, k: 512, experts: 8 }
    const count = (change: object) =>
      planWarmUp({ ...NONE, layers: [stack] }, { ...TARGET, ...change }).kernels.length
    const one = count({})
    expect(one).toBeGreaterThan(2) // the casts of activations, and a product
    expect(count({ layouts: ['contiguous', 'masked'] })).toBeGreaterThan(one)
    expect(count({ outs: ['bf16', 'f32'] })).toBeGreaterThan(one)
    const { layers } = planWarmUp({ ...NONE, layers: [stack] }, TARGET)
    expect(layers).toMatchObject([{ shape: '8 experts, 1024 x 512' }])
    expect(layers[0]?.problem).toBeUndefined()
  })

  it('says which layers a GPU cannot multiply, and needs nothing for them', () => {
    const odd = { name: 'odd', n: 12, k: 100, experts: 1 }
    const { kernels, layers } = planWarmUp({ ...NONE, layers: [odd] }, TARGET)
    expect(kernels).toEqual([])
    expect(layers[0]?.problem).toMatch(/no multiple of 8/)
  })

  it('names configs by what is out of the ordinary', () => {
    const config = {
      kBlockLeft: 128,
      kBlockRight: 96,
      kStages: 5,
      kOverlapped: true,
      kSwapped: false,
    }
    const rest = { kOut: 'Output::kBf16', kMulticast: 'Multicast::kNone', kSharedBytes: 9 }
    expect(configText({ ...config, ...rest })).toBe('128x96 stages=5 overlapped out=bf16')
  })

  it.each([
    [30_000, 'just now'],
    [5 * 60_000, '5 min ago'],
    [30 * 3_600_000, '30 h ago'],
    [72 * 3_600_000, '3 d ago'],
  ])('tells %d ms as %s', (ms, text) => {
    expect(formatAge(new Date(1e12), new Date(1e12 + ms))).toBe(text)
  })
})
