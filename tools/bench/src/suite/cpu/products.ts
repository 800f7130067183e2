// Our products on a CPU, with copies of the weights that take turns.

import {
  contiguousGroups,
  type Device,
  planGemm,
  planGroupedGemm,
  QuantizedTensor,
  Scales,
  type Tensor,
} from 'deepgemm'
import { COLD_BYTES, randomQuantized } from '../../operands.js'
import { coldCopies } from '../../plan/cases.js'
import { type Contestant, timed } from '../../plan/rounds.js'
import { addSampledErrors } from '../accuracy.js'
import { ErrorSums, sampledPositions } from '../error-sums.js'
import { groupRows, type SuiteCase, weightBytes } from '../problem.js'
import { OURS } from '../result.js'

export type OurProduct = Contestant & {
  /** Of the product that was computed last. */
  error(): Promise<number>
  dispose(): void
}

export function ourProduct(device: Device, item: SuiteCase): Promise<OurProduct> {
  return item.problem === 'dense' ? denseProduct(device, item) : groupedProduct(device, item)
}

async function denseProduct(device: Device, item: SuiteCase): Promise<OurProduct> {
  const { m, n, k } = item
  const plan = await planGemm(device, { n, k, m: { max: m } })
  const weights = await coldWeights(device, item, [n, k])
  const a = await randomQuantized(device, [m, k], '1x128')
  const out = await poisoned(device, [m, n])
  const operands = (turn: number) => ({
    a,
    b: weights[turn % weights.length] as QuantizedTensor,
    out,
  })
  return product(device, [a, out, ...weights], {
    enqueue: (turn) => plan.run(operands(turn)),
    addErrors: (sums, turn) => addSampledErrors(sums, operands(turn), sampledPositions(m)),
  })
}

async function groupedProduct(device: Device, item: SuiteCase): Promise<OurProduct> {
  const { n, k, groups: count } = item
  const { rows, starts, groupIndex } = contiguousGroups(groupRows(item))
  const plan = await planGroupedGemm(device, {
    ...{ layout: 'contiguous', groups: count, n, k, m: { max: rows } },
  })
  const weights = await coldWeights(device, item, [count, n, k])
  const a = await randomQuantized(device, [rows, k], '1x128')
  const out = await poisoned(device, [rows, n])
  const groups = device.tensor(Int32Array.from(groupIndex), { dtype: 'i32', shape: [rows] })
  const weightsOf = (turn: number) => weights[turn % weights.length] as QuantizedTensor
  return product(device, [a, out, groups, ...weights], {
    enqueue: (turn) => plan.run({ a, b: weightsOf(turn), out, groups }),
    addErrors: async (sums, turn) => {
      for (const group of new Set([0, count - 1])) {
        const first = starts[group] as number
        const rows = sampledPositions(groupRows(item)[group] as number).map((row) => first + row)
        await addSampledErrors(sums, { a, b: matrixOf(weightsOf(turn), group), out }, rows)
      }
    },
  })
}

type Parts = {
  enqueue(turn: number): void
  addErrors(sums: ErrorSums, turn: number): Promise<void>
}

function product(
  device: Device,
  owned: readonly { dispose(): void }[],
  { enqueue, addErrors }: Parts,
): OurProduct {
  let turn = -1
  return {
    name: OURS,
    run: () => {
      turn++
      return timed(() => {
        enqueue(turn)
        return device.defaultStream.synchronize()
      })
    },
    error: async () => {
      const sums = new ErrorSums()
      await addErrors(sums, turn)
      return sums.error
    },
    dispose: () => {
      for (const item of owned) item.dispose()
    },
  }
}

async function coldWeights(device: Device, item: SuiteCase, shape: readonly number[]) {
  const weights: QuantizedTensor[] = []
  for (let copy = 0; copy < coldCopies(weightBytes(item), COLD_BYTES); copy++) {
    weights.push(await randomQuantized(device, shape, '128x128'))
  }
  return weights
}

/** Full of NaN: an element that is forgotten is seen. */
async function poisoned(device: Device, shape: readonly number[]): Promise<Tensor> {
  const out = device.zeros({ dtype: 'bf16', shape })
  await out.storage.write(0, new Uint8Array(out.byteLength).fill(0xff))
  return out
}

/** One matrix of a group of them, in the same memory. */
function matrixOf({ values, scales }: QuantizedTensor, group: number): QuantizedTensor {
  const part = (tensor: Tensor): Tensor =>
    tensor.slice(0, group, group + 1).reshape(tensor.shape.slice(1))
  return new QuantizedTensor(part(values), new Scales(part(scales.tensor), scales))
}
