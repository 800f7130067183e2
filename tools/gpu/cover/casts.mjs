import { dequantize, quantize, relayoutScales } from '../../../packages/deepgemm/dist/index.js'
import { disposeAll, numbers } from './values.mjs'

const FORMS = [
  ['1x128', false],
  ['1x128', true],
  ['128x128', false],
  ['128x128', true],
  ['128x1', false],
  ['128x1', true],
]

/** Casts in every direction, with tails in both dimensions, and every way to store scales. */
export async function coverCasts(device) {
  for (const [recipe, transpose] of FORMS) {
    for (const scaleDType of ['f32', 'ue8m0']) {
      for (const [rows, columns] of [
        [5, 144],
        [130, 272],
      ]) {
        const q = await quantize(device, numbers(2, rows, columns), recipe, {
          scaleDType,
          transpose,
        })
        const x = await dequantize(q, { dtype: rows === 5 ? 'bf16' : 'f32' })
        const other = q.scales.orientation === 'k-major' ? 'mn-major' : 'k-major'
        const moved = await relayoutScales(q, { orientation: other, scaleDType: 'f32' })
        await x.toBytes()
        disposeAll(x, q, moved)
      }
    }
  }
}
