// Times a DeepSeek-V3-shaped layer on a GPU beside the sum of its two grouped products and the time
// to read the weights of the experts that are touched, in one run. Needs the packages built.
//
//   node packages/moe/bench/cuda-layer.mjs [--tokens 1,16,128,4096] [--experts 256] [--decode 16] [--json <file>]

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { BenchKernels, benchCubin } from '../../../tools/bench/dist/gpu/kernels.js'
import { MoeLayer, planGroupedGemm } from '../dist/index.js'

const { values: options } = parseArgs({
  options: {
    tokens: { type: 'string', default: '1,16,128,4096' },
    experts: { type: 'string', default: '256' },
    decode: { type: 'string', default: '16' },
    hidden: { type: 'string', default: '7168' },
    intermediate: { type: 'string', default: '2048' },
    json: { type: 'string' },
  },
})
const [TOP_K, DECODE] = [8, Number(options.decode)]
const [EXPERTS, HIDDEN, INTERMEDIATE] = ['experts', 'hidden', 'intermediate'].map((name) =>
  Number(options[name]),
)
const TOKENS = options.tokens.split(',').map(Number)
const MOST = Math.max(DECODE + 1, ...TOKENS)
const REPEATS = 9

const device = await Device.open({ kind: 'cuda' })
const kernels = new BenchKernels(device, await benchCubin())
const stream = device.defaultStream

function weights(...shape) {
  const out = allocateQuantized(device, { shape, recipe: '128x128', label: 'weights' })
  kernels.fillValues(out.values, 1)
  return out
}

/** Random rows whose products with random weights stay near 1. */
async function scaled(quantized, scale) {
  const { tensor } = quantized.scales
  const numbers = new Float32Array(tensor.size).fill(scale)
  await tensor.storage.write(tensor.byteOffset, new Uint8Array(numbers.buffer))
  return quantized
}

function normal() {
  const [u, v] = [1 - Math.random(), Math.random()]
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)
}

function floats(dtype, scale, ...shape) {
  const count = shape.reduce((a, b) => a * b, 1)
  const data = Float32Array.from({ length: count }, () => scale * normal())
  return device.tensor(data, { dtype, shape })
}

/** Median microseconds of one call of `enqueue`, many enqueued at a time. */
async function measure(enqueue, count) {
  for (let i = 0; i < 3; i++) enqueue(i)
  await stream.synchronize()
  const [times, host] = [[], []]
  for (let r = 0; r < REPEATS; r++) {
    const before = stream.record({ timing: true })
    const begun = performance.now()
    for (let i = 0; i < count; i++) enqueue(i)
    host.push((1000 * (performance.now() - begun)) / count)
    const after = stream.record({ timing: true })
    times.push((1000 * (await after.elapsedSince(before))) / count)
    for (const event of [before, after]) event.dispose()
  }
  const median = (list) => list.sort((a, b) => a - b)[list.length >> 1]
  return { gpu: median(times), host: median(host) }
}

/** Experts of random tokens: their sizes. */
function randomSizes(tokens) {
  const sizes = new Int32Array(EXPERTS)
  for (let t = 0; t < tokens; t++) {
    const chosen = new Set()
    while (chosen.size < TOP_K) chosen.add(Math.floor(EXPERTS * Math.random()))
    for (const expert of chosen) sizes[expert] += 1
  }
  return sizes
}

/** One grouped product as the layer has it, replayed from a graph. */
async function product(b, tokens, sizes, enqueued) {
  const [groups, n, k] = b.shape
  const isDecode = tokens <= DECODE
  const m = isDecode ? DECODE : tokens * TOP_K
  const layout = isDecode ? 'masked' : 'packed'
  const lead = isDecode ? [groups, DECODE] : [m]
  const a = allocateQuantized(device, { shape: [...lead, k], recipe: '1x128', label: 'rows' })
  kernels.fillValues(a.values, 2)
  await kernels.stream.synchronize()
  await scaled(a, 1 / 105)
  const out = device.zeros({ dtype: 'bf16', shape: [...lead, n], label: 'product' })
  const offsets = new Int32Array(groups + 1)
  for (let g = 0; g < groups; g++) offsets[g + 1] = offsets[g] + sizes[g]
  const data = isDecode ? sizes : offsets
  const index = device.tensor(data, { dtype: 'i32', shape: [data.length], label: 'groups' })
  const expectedM = isDecode ? Math.ceil((DECODE * TOP_K) / EXPERTS) : m
  const largest = isDecode ? m : MOST * TOP_K
  const spec = {
    layout,
    groups,
    n,
    k,
    m: { max: largest },
    expectedM: isDecode ? expectedM : largest,
  }
  const plan = await planGroupedGemm(device, spec)
  enqueued.push((on) => plan.run({ a, b, out, groups: index, stream: on }))
  return () => {
    for (const each of [a, out, index]) each.dispose()
  }
}

async function partsTime(experts, tokens, sizes) {
  const enqueued = []
  const frees = [
    await product(experts.gateUp, tokens, sizes, enqueued),
    await product(experts.down, tokens, sizes, enqueued),
  ]
  const launches = tokens > 1000 ? 4 : 20
  const graph = device.capture((on) => {
    for (let i = 0; i < launches; i++) for (const enqueue of enqueued) enqueue(on)
  })
  const { gpu } = await measure(() => graph.launch(stream), 1)
  graph.dispose()
  for (const free of frees) free()
  return gpu / launches
}

async function readTime(experts, touched) {
  const parts = [experts.gateUp.values, experts.down.values]
  const graph = device.capture((on) => {
    for (let i = 0; i < 10; i++) {
      const first = (i * touched) % Math.max(1, EXPERTS - touched)
      for (const part of parts) kernels.read(part.slice(0, first, first + touched), on)
    }
  })
  const { gpu } = await measure(() => graph.launch(stream), 1)
  graph.dispose()
  return gpu / 10
}

const experts = {
  gateUp: await scaled(weights(EXPERTS, 2 * INTERMEDIATE, HIDDEN), 1 / (105 * Math.sqrt(HIDDEN))),
  down: await scaled(weights(EXPERTS, HIDDEN, INTERMEDIATE), 1 / (105 * Math.sqrt(INTERMEDIATE))),
}
await kernels.stream.synchronize()
const router = floats('f32', 1 / Math.sqrt(HIDDEN), EXPERTS, HIDDEN)
const layer = await MoeLayer.create(device, {
  ...{ experts, router, topK: TOP_K, gating: 'group-limited-sigmoid', groups: 8, topGroups: 4 },
  ...{ scalingFactor: 2.5, maxTokens: MOST, maxDecodeTokens: DECODE },
})
console.log(`workspace ${(layer.workspaceBytes / 2 ** 20).toFixed(0)} MiB`)

const rows = []
for (const tokens of TOKENS) {
  const inputs = Array.from({ length: tokens > 1000 ? 1 : 8 }, () =>
    floats('bf16', 1, tokens, HIDDEN),
  )
  const out = device.zeros({ dtype: 'bf16', shape: [tokens, HIDDEN] })
  const count = tokens > 100 ? 5 : 40
  const ours = await measure((i) => layer.run(inputs[i % inputs.length], { out }), count)
  const sizes = randomSizes(tokens)
  const touched = sizes.filter((size) => size > 0).length
  const parts = await partsTime(experts, tokens, sizes)
  const floor = await readTime(experts, touched)
  const row = { problem: 'fused layer', tokens, experts: EXPERTS, touched }
  rows.push({ ...row, ours_us: ours.gpu, host_us: ours.host, parts_us: parts, floor_us: floor })
  const show = (x) => x.toFixed(1).padStart(8)
  console.log(
    `T ${String(tokens).padStart(4)}: layer ${show(ours.gpu)} us (host ${show(ours.host)}), ` +
      `products ${show(parts)} us, ratio ${(ours.gpu / parts).toFixed(3)}; ` +
      `read of ${touched} experts ${show(floor)} us, ratio ${(ours.gpu / floor).toFixed(3)}`,
  )
  for (const each of [...inputs, out]) each.dispose()
}
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`)
layer.dispose()
await device.dispose()
