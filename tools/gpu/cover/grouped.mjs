import {
  contiguousGroups,
  groupedGemmContiguous,
  groupedGemmKGrouped,
  groupedGemmMasked,
  groupedGemmPacked,
  packedOffsets,
  quantize,
  quantizeKGrouped,
} from '../../../packages/deepgemm/dist/index.js'
import { disposeAll, numbers } from './values.mjs'

const SIZES = [40, 0, 3, 150]
const [N, K] = [136, 400]

/** Indices are on the device, as a layer has them: the kernel that checks them runs as well. */
async function overRows(device, dtype) {
  const int32 = (values) =>
    device.tensor(Int32Array.from(values), { dtype: 'i32', shape: [values.length] })
  const b = await quantize(device, numbers(SIZES.length, N, K), '128x128')
  const { rows, groupIndex } = contiguousGroups(SIZES)
  const offsets = packedOffsets(SIZES)
  const most = Math.max(...SIZES)
  const runs = [
    [groupedGemmContiguous, [rows], groupIndex],
    [groupedGemmPacked, [offsets.at(-1)], offsets],
    [groupedGemmMasked, [SIZES.length, most], SIZES],
  ]
  for (const [gemm, lead, indices] of runs) {
    const a = await quantize(device, numbers(...lead, K), '1x128')
    const out = device.zeros({ dtype, shape: [...lead, N] })
    const groups = int32([...indices])
    const hint = gemm === groupedGemmMasked ? { expectedM: 40 } : {}
    await gemm(a, b, groups, { out, ...hint })
    await gemm(a, b, groups, { out, accumulate: true, ...hint })
    await out.toBytes()
    disposeAll(a, out, groups)
  }
  b.dispose()
}

async function overK(device, outDType) {
  const sizes = [128, 0, 272, 96]
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const a = await quantizeKGrouped(device, numbers(72, total), sizes)
  const b = await quantizeKGrouped(device, numbers(136, total), sizes)
  const out = device.zeros({ dtype: outDType, shape: [sizes.length, 72, 136] })
  await groupedGemmKGrouped(a, b, Int32Array.from(sizes), { out })
  await groupedGemmKGrouped(a, b, Int32Array.from(sizes), { out, accumulate: true })
  await out.toBytes()
  disposeAll(a, b, out)
}

export async function coverGrouped(device) {
  for (const dtype of ['bf16', 'f32']) {
    await overRows(device, dtype)
    await overK(device, dtype)
  }
}
