// Dense products beside the read floor, the peak and the peers.

import {
  type Device,
  type GemmPlan,
  type GemmWeights,
  planGemm,
  prepackWeights,
  type QuantizedTensor,
  type Tensor,
} from 'deepgemm'
import { COLD_BYTES, randomQuantized } from '../operands.js'
import { coldCopies, type GemmCase } from '../plan/cases.js'
import { type Contestant, measureRounds, timed } from '../plan/rounds.js'
import { type GemmRow, gemmRow, OURS, READ } from '../report.js'
import type { Session } from '../session.js'

/** Our product with copies of the weights that are used in turn. */
class OurProduct implements Contestant {
  readonly name: string = OURS
  readonly #plan: GemmPlan
  readonly #a: QuantizedTensor
  readonly #weights: readonly GemmWeights[]
  readonly #out: Tensor
  #next = 0

  private constructor(
    plan: GemmPlan,
    a: QuantizedTensor,
    weights: readonly GemmWeights[],
    out: Tensor,
  ) {
    this.#plan = plan
    this.#a = a
    this.#weights = weights
    this.#out = out
  }

  static async prepare(device: Device, { m, n, k, prepacked }: GemmCase): Promise<OurProduct> {
    const plan = await planGemm(device, { n, k, m: { max: m } })
    const weights: GemmWeights[] = []
    for (let copy = 0; copy < coldCopies(n * k, COLD_BYTES); copy++) {
      weights.push(await randomWeights(device, [n, k], prepacked === true))
    }
    const a = await randomQuantized(device, [m, k], '1x128')
    return new OurProduct(plan, a, weights, device.zeros({ dtype: 'bf16', shape: [m, n] }))
  }

  run(): Promise<number> {
    const b = this.#weights[this.#next++ % this.#weights.length] as GemmWeights
    return timed(() => {
      this.#plan.run({ a: this.#a, b, out: this.#out })
      return this.#plan.device.defaultStream.synchronize()
    })
  }

  dispose(): void {
    this.#a.dispose()
    this.#out.dispose()
    for (const weights of this.#weights) weights.dispose()
  }
}

async function randomWeights(
  device: Device,
  shape: readonly number[],
  prepacked: boolean,
): Promise<GemmWeights> {
  const weights = await randomQuantized(device, shape, '128x128')
  if (!prepacked) return weights
  const packed = await prepackWeights(weights)
  weights.dispose()
  return packed
}

/** One row; undefined when this machine does not have the instruction set. */
export async function measureGemm(session: Session, item: GemmCase): Promise<GemmRow | undefined> {
  const { threads, isa } = item
  const device = await session.device(threads, isa)
  // A narrower set that is the machine's best has its row already.
  if (device === undefined || isa === (await session.best(threads)).architecture) return undefined
  const machine = session.machine(threads)
  const peaks: number[] = []
  const read: Contestant = {
    name: READ,
    run: async () => {
      peaks.push(await machine.peak(device.architecture))
      return (item.n * item.k) / (await machine.readBandwidth())
    },
  }
  const ours = await OurProduct.prepare(device, item)
  try {
    const contestants: Contestant[] = [ours, read]
    // Peers choose their own instructions: they run beside our best ones.
    for (const peer of isa === undefined ? session.peers(threads) : []) {
      contestants.push(...(await peer.prepare(item, COLD_BYTES)))
    }
    const samples = await measureRounds(contestants, session.options)
    const setting = { threads, isa: device.architecture, prepacked: item.prepacked === true }
    return gemmRow(item, setting, samples, peaks)
  } finally {
    ours.dispose()
  }
}
