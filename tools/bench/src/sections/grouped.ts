// Grouped layouts beside the same products as dense ones, and beside the read floor.

import {
  contiguousGroups,
  type Device,
  type GemmWeights,
  packedOffsets,
  planGemm,
  planGroupedGemm,
  prepackWeights,
  QuantizedTensor,
  Scales,
  type Tensor,
} from 'deepgemm'
import { randomQuantized } from '../operands.js'
import { type GroupedCase, rowsInLayout } from '../plan/cases.js'
import { type Contestant, measureRounds, timed } from '../plan/rounds.js'
import { type GroupedRow, READ, type Samples, samplesOf } from '../report.js'
import type { Session } from '../session.js'
import { median, pairedRatio, rounded } from '../stats.js'

const LAYOUTS = ['contiguous', 'packed', 'masked'] as const
type Layout = (typeof LAYOUTS)[number]

/** What is measured: a layout over plain or prepacked weights. */
type Variant = { readonly layout: Layout; readonly prepacked: boolean }

const VARIANTS: readonly Variant[] = [false, true].flatMap((prepacked) =>
  LAYOUTS.map((layout) => ({ layout, prepacked })),
)

const DENSE = 'dense'

type Product = Contestant & { dispose(): void }

/** The rows of one case: every variant on a device of so many threads. */
export async function measureGrouped(
  session: Session,
  threads: number,
  item: GroupedCase,
): Promise<GroupedRow[]> {
  const { sizes, n, k } = item
  const device = await session.best(threads)
  const machine = session.machine(threads)
  const touched = sizes.filter((size) => size > 0).length * n * k
  const read = async (): Promise<number> => touched / (await machine.readBandwidth())
  using weights = await randomQuantized(device, [sizes.length, n, k], '128x128')
  using packed = await prepackWeights(weights)
  const products: Product[] = [await denseProducts(device, item, weights)]
  try {
    for (const variant of VARIANTS) {
      const b = variant.prepacked ? packed : weights
      products.push(await groupedProduct(device, item, variant, b))
    }
    const contestants = [...products, { name: READ, run: read }]
    const samples = await measureRounds(contestants, session.options)
    const setting = { threads, isa: device.architecture }
    return VARIANTS.map((variant) => groupedRow(item, variant, setting, samples))
  } finally {
    for (const product of products) product.dispose()
  }
}

async function groupedProduct(
  device: Device,
  { sizes, n, k }: GroupedCase,
  variant: Variant,
  b: GemmWeights,
): Promise<Product> {
  const { layout } = variant
  const rows = rowsInLayout(layout, sizes)
  const lead = layout === 'masked' ? [sizes.length, rows / sizes.length] : [rows]
  const m = { max: lead.at(-1) as number }
  const plan = await planGroupedGemm(device, { layout, groups: sizes.length, n, k, m })
  const a = await randomQuantized(device, [...lead, k], '1x128')
  const out = device.zeros({ dtype: 'bf16', shape: [...lead, n] })
  const indices = groupData(layout, sizes)
  const groups = device.tensor(indices, { dtype: 'i32', shape: [indices.length] })
  return {
    name: nameOf(variant),
    run: () =>
      timed(() => {
        plan.run({ a, b, out, groups })
        return device.defaultStream.synchronize()
      }),
    dispose: () => {
      for (const tensor of [a, out, groups]) tensor.dispose()
    },
  }
}

function nameOf({ layout, prepacked }: Variant): string {
  return prepacked ? `${layout}, prepacked` : layout
}

/** What tells a layout which rows belong to which group. */
function groupData(layout: Layout, sizes: readonly number[]): Int32Array<ArrayBuffer> {
  if (layout === 'contiguous') return Int32Array.from(contiguousGroups(sizes).groupIndex)
  return Int32Array.from(layout === 'packed' ? packedOffsets(sizes) : sizes)
}

/** One product per expert that has tokens, all enqueued before the first is awaited. */
async function denseProducts(
  device: Device,
  { sizes, n, k }: GroupedCase,
  weights: QuantizedTensor,
): Promise<Product> {
  const plan = await planGemm(device, { n, k, m: { max: Math.max(0, ...sizes) } })
  const calls: { a: QuantizedTensor; b: QuantizedTensor; out: Tensor }[] = []
  for (const [group, m] of sizes.entries()) {
    if (m === 0) continue
    const a = await randomQuantized(device, [m, k], '1x128')
    const out = device.zeros({ dtype: 'bf16', shape: [m, n] })
    calls.push({ a, b: matrixOf(weights, group), out })
  }
  return {
    name: DENSE,
    run: () =>
      timed(() => {
        for (const call of calls) plan.run(call)
        return device.defaultStream.synchronize()
      }),
    dispose: () => {
      for (const { a, out } of calls) for (const tensor of [a, out]) tensor.dispose()
    },
  }
}

/** One matrix of a group of them, in the same memory. */
function matrixOf({ values, scales }: QuantizedTensor, group: number): QuantizedTensor {
  const part = (tensor: Tensor): Tensor =>
    tensor.slice(0, group, group + 1).reshape(tensor.shape.slice(1))
  return new QuantizedTensor(part(values), new Scales(part(scales.tensor), scales))
}

/** Pure: the row from the samples. */
export function groupedRow(
  { name, sizes, n, k }: GroupedCase,
  variant: Variant,
  setting: { readonly threads: number; readonly isa: string },
  samples: Samples,
): GroupedRow {
  const ours = samplesOf(samples, nameOf(variant))
  const tokens = sizes.reduce((sum, size) => sum + size, 0)
  return {
    ...{ name, ...variant, groups: sizes.length, tokens, n, k },
    ...setting,
    ours_gflops: rounded((2 * tokens * n * k) / median(ours) / 1e9),
    dense_ratio: rounded(pairedRatio(ours, samplesOf(samples, DENSE))),
    floor_ratio: rounded(pairedRatio(ours, samplesOf(samples, READ))),
  }
}
