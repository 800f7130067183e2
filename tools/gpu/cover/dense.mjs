import {
  fp8GemmNN,
  fp8GemmNT,
  fp8GemmTN,
  fp8GemmTT,
  planGemm,
  quantize,
} from '../../../packages/deepgemm/dist/index.js'
import { disposeAll, numbers } from './values.mjs'

const GEMMS = { NT: fp8GemmNT, NN: fp8GemmNN, TN: fp8GemmTN, TT: fp8GemmTT }
const SHAPES = [
  [7, 264, 144],
  [130, 136, 528],
  [300, 72, 272],
]

/** Every form, tails everywhere, both outputs, with and without adding to what is there. */
async function forms(device) {
  let count = 0
  for (const [m, n, k] of SHAPES) {
    for (const [form, gemm] of Object.entries(GEMMS)) {
      for (const recipeB of ['128x128', '1x128']) {
        if (recipeB === '1x128' && form !== 'NT') continue
        const scaleDType = count % 2 === 0 ? 'f32' : 'ue8m0'
        const ofA = form[0] === 'N' ? [numbers(m, k), '1x128'] : [numbers(k, m), '128x1']
        const ofB = form[1] === 'T' ? [numbers(n, k), recipeB] : [numbers(k, n), recipeB]
        const a = await quantize(device, ...ofA, { scaleDType })
        const b = await quantize(device, ...ofB, { scaleDType })
        const out = device.zeros({ dtype: count++ % 3 === 0 ? 'f32' : 'bf16', shape: [m, n] })
        await gemm(a, b, { out })
        await gemm(a, b, { out, accumulate: true })
        await out.toBytes()
        disposeAll(a, b, out)
      }
    }
  }
}

/** Few rows and a long K, shared among blocks; launches that follow one another; a batch. */
async function plans(device) {
  const [m, n, k] = [16, 512, 7168]
  const plan = await planGemm(device, { n, k, m: { max: 64 } })
  const a = await quantize(device, numbers(m, k), '1x128')
  const b = await quantize(device, numbers(n, k), '128x128')
  const outs = [0, 1].map(() => device.zeros({ dtype: 'bf16', shape: [m, n] }))
  for (let i = 0; i < 8; i++) plan.run({ a, b, out: outs[i % 2], weightsReady: i > 2 })
  await device.synchronize()
  const batchA = await quantize(device, numbers(3, 40, 272), '1x128')
  const batchB = await quantize(device, numbers(3, 136, 272), '128x128')
  const out = await fp8GemmNT(batchA, batchB)
  await out.toBytes()
  disposeAll(a, b, ...outs, batchA, batchB, out)
}

export async function coverDense(device) {
  await forms(device)
  await plans(device)
}
