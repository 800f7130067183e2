// Times the kernels around the grouped products on a GPU against what the bytes they move would take
// a copy on the same GPU, in one run. Needs the packages built.
//
//   node packages/moe/bench/cuda-kernels.mjs            a table of medians
//   node packages/moe/bench/cuda-kernels.mjs --small    every kernel once on small shapes, for tools
//                                                       such as compute-sanitizer

import { allocateQuantized, Device } from '@deepgemm/runtime'
import { castKernelOf, enqueueCudaCast } from '../dist/cuda/cast.js'
import { combineKernelOf, enqueueCudaCombine } from '../dist/cuda/combine.js'
import { prepareKernels } from '../dist/cuda/kernel.js'
import { enqueueCudaLogits, logitsKernel } from '../dist/cuda/logits.js'
import { enqueueCudaPermute, permuteKernelOf } from '../dist/cuda/permute-rows.js'
import { enqueueCudaPlan, planKernelOf } from '../dist/cuda/plan-permutation.js'
import { enqueueCudaRoute, routeKernel, routeKind } from '../dist/cuda/route.js'
import { canSelect, enqueueCudaSelect, selectKernel } from '../dist/cuda/select.js'
import { enqueueCudaSwigluQuantize, swigluQuantizeKernelOf } from '../dist/cuda/swiglu.js'

/** Launches of one measurement, back to back in a graph. */
const LAUNCHES = 20
const REPEATS = 15

const small = process.argv.includes('--small')
const device = await Device.open({ kind: 'cuda' })
const { E, H, I, K } = small ? { E: 40, H: 1040, I: 264, K: 4 } : { E: 256, H: 7168, I: 2048, K: 8 }

const tensor = (dtype, ...shape) => device.zeros({ dtype, shape })

/** Numbers around 1 of either sign, the same million over and over. */
function random(dtype, ...shape) {
  const count = shape.reduce((a, b) => a * b, 1)
  const data = dtype === 'bf16' ? new Uint16Array(count) : new Float32Array(count)
  const number = () => {
    const bits = Math.floor(65536 * Math.random())
    return (bits & 0x8000) | 0x3f00 | (bits & 0xff)
  }
  const block = Uint16Array.from({ length: Math.min(count, 1 << 20) }, number)
  const part =
    dtype === 'bf16' ? block : Float32Array.from(block, (bits) => (bits - 0x7f00) / 0x4000)
  for (let at = 0; at < count; at += part.length) {
    data.set(part.subarray(0, Math.min(part.length, count - at)), at)
  }
  return device.tensor(data, { dtype, shape })
}

/** Microseconds of one launch, the median over graphs of many. */
async function measure(enqueue) {
  const graph = device.capture((stream) => {
    for (let i = 0; i < LAUNCHES; i++) enqueue(stream, i)
  })
  const stream = device.defaultStream
  graph.launch(stream)
  await stream.synchronize()
  const times = []
  for (let i = 0; i < REPEATS; i++) {
    const before = stream.record({ timing: true })
    graph.launch(stream)
    const after = stream.record({ timing: true })
    times.push((1000 * (await after.elapsedSince(before))) / LAUNCHES)
    for (const event of [before, after]) event.dispose()
  }
  graph.dispose()
  return times.sort((a, b) => a - b)[REPEATS >> 1]
}

/** GB/s of a copy, reads and writes together: the row copy of the permutation on dense rows. */
async function copySpeed() {
  const [rows, columns] = [32768, 8192]
  const destination = device.tensor(
    Int32Array.from({ length: rows }, (_, i) => i),
    {
      dtype: 'i32',
      shape: [rows, 1],
    },
  )
  const source = allocateQuantized(device, { shape: [rows, columns], recipe: '1x128' })
  const out = allocateQuantized(device, { shape: [rows, columns], recipe: '1x128' })
  const call = { destination, source, out, groupIndex: undefined }
  await prepareKernels(device, [permuteKernelOf(call)])
  const time = await measure((stream) => enqueueCudaPermute(stream, call))
  for (const each of [destination, source, out]) each.dispose()
  return (2 * rows * columns * (1 + 4 / 128)) / time / 1e3
}

/** The buffers of a layer for `tokens` tokens. */
function buffers(tokens, layout) {
  const maxRows = layout === 'masked' ? tokens : 0
  const lead = layout === 'masked' ? [E, maxRows] : [tokens * K]
  const rows = lead.reduce((a, b) => a * b, 1)
  const quantized = (...shape) => allocateQuantized(device, { shape, recipe: '1x128' })
  return {
    router: quantized(E, H),
    logits: random('f32', tokens, E),
    bias: random('f32', E),
    indices: tensor('i32', tokens, K),
    weights: tensor('f32', tokens, K),
    counts: tensor('i32', E),
    offsets: tensor('i32', E + 1),
    destination: tensor('i32', tokens, K),
    x: random('bf16', tokens, H),
    source: quantized(tokens, H),
    permuted: quantized(...lead, H),
    gateUp: random('bf16', rows, 2 * I),
    activation: quantized(...lead, I),
    expertOut: random('bf16', rows, H),
    y: tensor('bf16', tokens, H),
  }
}

/** The calls of every step on those buffers. */
function callsOn(all, layout) {
  const { logits, bias, indices, weights, counts, offsets, destination } = all
  const { x, source, permuted, gateUp, activation, expertOut, y } = all
  const rows = gateUp.shape[0]
  const maxRows = rows / E
  const masked = layout === 'masked'
  const set = masked
    ? { rows, groupSizes: counts, rowsPerGroup: maxRows }
    : { rows, rowCount: offsets.slice(0, E, E + 1) }
  const gating = { topK: K, gating: 'group-limited-sigmoid', groups: 8, topGroups: 4 }
  const route = { logits, ...gating, normalize: true, scalingFactor: 2.5, bias, indices, weights }
  const room = { alignment: 1, maxRows: masked ? maxRows : 0, rowCapacity: rows }
  return {
    few: { tokens: source, router: all.router, logits },
    route,
    softmax: { ...route, gating: 'softmax', bias: undefined },
    plan: { indices, experts: E, layout, ...room, counts, offsets, destination },
    cast: { source: x, out: source, transpose: false },
    permute: { destination, source, out: permuted, groupIndex: undefined },
    swiglu: { set, input: gateUp, out: activation },
    combine: { destination, weights, rows: expertOut, addend: undefined, out: y },
  }
}

/** Everything that a layer does around its products: names, bytes moved, launches. */
async function steps(tokens, layout) {
  const all = buffers(tokens, layout)
  const { few, route, softmax, plan, cast, permute, swiglu, combine } = callsOn(all, layout)
  await prepareKernels(device, [
    routeKernel(routeKind(route)),
    routeKernel(routeKind(softmax)),
    logitsKernel(),
    planKernelOf(plan),
    selectKernel(routeKind(route)),
    castKernelOf(cast),
    permuteKernelOf(permute),
    swigluQuantizeKernelOf(swiglu),
    combineKernelOf(combine),
  ])
  const slots = tokens * K
  const code = 1 + 4 / 128 // bytes of an e4m3 element and its part of a scale
  return {
    owned: Object.values(all),
    list: [
      ['quantise tokens', tokens * H * (2 + code), (s) => enqueueCudaCast(s, cast)],
      ['logits of few', (E + tokens) * H * code, (s) => enqueueCudaLogits(s, few)],
      ['route, softmax', tokens * E * 4, (s) => enqueueCudaRoute(s, softmax)],
      ['route, sigmoid', tokens * E * 4, (s) => enqueueCudaRoute(s, route)],
      ...(canSelect(plan)
        ? [['route and plan', tokens * E * 4, (s) => enqueueCudaSelect(s, route, plan)]]
        : []),
      ['plan', 8 * slots, (s) => enqueueCudaPlan(s, plan)],
      ['permute', (tokens + slots) * H * code, (s) => enqueueCudaPermute(s, permute)],
      ['swiglu, quantise', slots * I * (4 + code), (s) => enqueueCudaSwigluQuantize(s, swiglu)],
      ['combine', 2 * (slots + tokens) * H, (s) => enqueueCudaCombine(s, combine)],
    ],
  }
}

/** Every kernel once. */
async function runSmall() {
  for (const [tokens, layout] of [
    [37, 'packed'],
    [5, 'masked'],
  ]) {
    const { owned, list } = await steps(tokens, layout)
    for (const [, , enqueue] of list) enqueue(device.defaultStream)
    await device.synchronize()
    for (const each of owned) each.dispose()
  }
  console.log('small shapes ran')
}

async function time(tokens, layout, speed) {
  const { owned, list } = await steps(tokens, layout)
  console.log(`\n${tokens} tokens, ${layout}`)
  // Once in order, so that every step has what the ones before it make.
  for (const [, , enqueue] of list) enqueue(device.defaultStream)
  await device.synchronize()
  const row = (name, microseconds) => `${name.padEnd(18)} ${microseconds.toFixed(2).padStart(8)} us`
  for (const [name, bytes, enqueue] of list) {
    const each = await measure(enqueue)
    const floor = bytes / speed / 1e3
    console.log(
      `${row(name, each)}, floor ${floor.toFixed(2)} us, ${((100 * floor) / each).toFixed(0)} %`,
    )
  }
  const chain = await measure((stream) => {
    for (const [, , enqueue] of list) enqueue(stream)
  })
  console.log(row('all in a row', chain))
  for (const each of owned) each.dispose()
}

if (small) await runSmall()
else {
  const speed = await copySpeed()
  console.log(`copy: ${speed.toFixed(0)} GB/s`)
  await time(1, 'masked', speed)
  await time(16, 'masked', speed)
  await time(128, 'packed', speed)
  await time(4096, 'packed', speed)
}
await device.dispose()
