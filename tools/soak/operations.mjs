// What a soak does over and over: every operation of the library on random small problems, refusals
// and failures among them. Each leaves nothing behind.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Checkpoint,
  CheckpointWriter,
  DeepGemmError,
  dequantize,
  fp8GemmNN,
  fp8GemmNT,
  fp8GemmTN,
  fp8GemmTT,
  groupedGemmContiguous,
  groupedGemmKGrouped,
  groupedGemmMasked,
  groupedGemmPacked,
  MoeLayer,
  packedOffsets,
  planGemm,
  quantize,
  quantizeKGrouped,
  relayoutScales,
} from '../../packages/deepgemm/dist/index.js'

const GEMMS = { NT: fp8GemmNT, NN: fp8GemmNN, TN: fp8GemmTN, TT: fp8GemmTT }
const FORMS = Object.keys(GEMMS)

const extent = (most, step) => step * (1 + Math.floor((Math.random() * most) / step))
const pick = (list) => list[Math.floor(Math.random() * list.length)]

function numbers(...shape) {
  const count = shape.reduce((all, length) => all * length, 1)
  return { data: Float32Array.from({ length: count }, () => Math.random() - 0.5), shape }
}

/** Fails when the operation was not refused: a soak must not skip its refusals unseen. */
async function refused(work) {
  try {
    await work()
  } catch (error) {
    if (error instanceof DeepGemmError) return
    throw error
  }
  throw new Error('what cannot be done was not refused')
}

async function dense(device, own) {
  const [m, n, k] = [extent(200, 1), extent(200, 8), extent(600, 16)]
  const form = pick(FORMS)
  const ofA = form[0] === 'N' ? [numbers(m, k), '1x128'] : [numbers(k, m), '128x1']
  const ofB = form[1] === 'T' ? [n, k] : [k, n]
  // Rows of 16 bytes, as a GPU takes them.
  if (form[0] === 'T' && m % 16 !== 0) return
  if (form[1] === 'N' && n % 16 !== 0) return
  const a = own(await quantize(device, ...ofA))
  const b = own(await quantize(device, numbers(...ofB), '128x128'))
  const d = own(await GEMMS[form](a, b, { outDType: pick(['bf16', 'f32']) }))
  await d.toFloat32Array()
}

/** Work on several streams that wait for one another, some of it never awaited. */
async function streams(device, own) {
  const [n, k] = [64, 256]
  const plan = await planGemm(device, { n, k, m: { max: 64 } })
  const a = own(await quantize(device, numbers(32, k), '1x128'))
  const b = own(await quantize(device, numbers(n, k), '128x128'))
  const one = own(device.zeros({ dtype: 'bf16', shape: [32, n] }))
  const two = own(device.zeros({ dtype: 'bf16', shape: [32, n] }))
  const first = own(device.createStream())
  const second = own(device.createStream())
  plan.run({ a, b, out: one, stream: first })
  const mark = first.record()
  second.wait(mark)
  mark.dispose?.() // a GPU's events are owned
  plan.run({ a, b, out: two, stream: second })
  if (Math.random() < 0.5) await second.synchronize()
}

async function casts(device, own) {
  const shape = [extent(300, 1), extent(400, 16)]
  const q = own(
    await quantize(device, numbers(...shape), pick(['1x128', '128x128', '128x1']), {
      scaleDType: 'ue8m0',
    }),
  )
  const moved = own(await relayoutScales(q, { scaleDType: 'f32' }))
  const x = own(await dequantize(moved, { dtype: pick(['f32', 'bf16', 'f16']) }))
  await x.toBytes()
}

async function grouped(device, own) {
  const sizes = Array.from({ length: 5 }, () => Math.floor(Math.random() * 40))
  const [n, k] = [72, 272]
  const b = own(await quantize(device, numbers(sizes.length, n, k), '128x128'))
  const offsets = Int32Array.from(packedOffsets(sizes))
  const a = own(await quantize(device, numbers(Math.max(1, offsets.at(-1)), k), '1x128'))
  const packed = own(await groupedGemmPacked(a, b, offsets))
  const masked = own(await quantize(device, numbers(sizes.length, 40, k), '1x128'))
  const d = own(await groupedGemmMasked(masked, b, Int32Array.from(sizes)))
  const index = new Int32Array(128).fill(-1)
  index[0] = 2
  const contiguous = own(await quantize(device, numbers(128, k), '1x128'))
  const e = own(await groupedGemmContiguous(contiguous, b, index))
  for (const tensor of [packed, d, e]) await tensor.toBytes()
}

async function gradients(device, own) {
  const sizes = [64, 0, 160]
  const a = own(await quantizeKGrouped(device, numbers(48, 224), sizes))
  const b = own(await quantizeKGrouped(device, numbers(40, 224), sizes))
  const d = own(await groupedGemmKGrouped(a, b, Int32Array.from(sizes)))
  await d.toFloat32Array()
}

async function layer(device, own) {
  const [experts, hidden, width] = [8, 256, 128]
  const weight = (...shape) => quantize(device, numbers(...shape), '128x128')
  const gateUp = own(await weight(experts, 2 * width, hidden))
  const down = own(await weight(experts, hidden, width))
  const router = own(await quantize(device, numbers(experts, hidden), '1x128'))
  const moe = own(
    await MoeLayer.create(device, {
      ...{ experts: { gateUp, down }, router, topK: 2 },
      maxTokens: 40,
    }),
  )
  for (const tokens of [1, 8, 40]) {
    const x = own(
      device.tensor(numbers(tokens, hidden).data, { dtype: 'f32', shape: [tokens, hidden] }),
    )
    const y = own(moe.run(x))
    await y.toBytes()
  }
}

/** Wrong shapes, wrong groups, failures that only the job finds out. */
async function refusals(device, own) {
  const a = own(await quantize(device, numbers(8, 128), '1x128'))
  const b = own(await quantize(device, numbers(16, 256), '128x128'))
  await refused(() => fp8GemmNT(a, b))
  const weights = own(await quantize(device, numbers(2, 16, 128), '128x128'))
  const offsets = own(device.tensor(Int32Array.of(0, 9, 3), { dtype: 'i32', shape: [3] }))
  const out = own(device.zeros({ dtype: 'bf16', shape: [8, 16] }))
  // Whoever waits for a stream hears of all failures on it: this one has a stream of its own.
  const stream = own(device.createStream())
  await refused(() => groupedGemmPacked(a, weights, offsets, { out, stream }))
  await refused(() => device.zeros({ dtype: 'f32', shape: [2 ** 50] }))
}

async function checkpoints() {
  const folder = await mkdtemp(join(tmpdir(), 'deepgemm-soak-'))
  try {
    const specs = [
      { name: 'a', dtype: 'F32', shape: [64, 64] },
      { name: 'b', dtype: 'BF16', shape: [1000] },
    ]
    const writer = await CheckpointWriter.create(folder, specs, { maxShardBytes: 16_384 })
    await writer.write('a', new Uint8Array(16_384))
    await writer.write('b', new Uint8Array(2000))
    await writer.finish()
    const checkpoint = await Checkpoint.open(folder)
    for (const name of checkpoint.names) await checkpoint.read(name)
    await checkpoint.close()
  } finally {
    await rm(folder, { recursive: true })
  }
}

const OPERATIONS = {
  dense,
  streams,
  casts,
  grouped,
  gradients,
  layer,
  refusals,
  checkpoints,
}

export const NAMES = Object.keys(OPERATIONS)

/** Runs one operation and disposes what it owned, last first. */
export async function operate(name, device) {
  const owned = []
  const own = (item) => {
    owned.push(item)
    return item
  }
  try {
    await OPERATIONS[name](device, own)
  } finally {
    for (const item of owned.reverse()) item.dispose()
  }
}
