// How late timers come while a large product runs.

import { planGemm } from 'deepgemm'
import { randomQuantized } from '../operands.js'
import type { GemmShape } from '../plan/cases.js'
import type { EventLoopRow } from '../report.js'
import type { Session } from '../session.js'
import { median, quantile, rounded } from '../stats.js'

const PERIOD_MS = 1
/** Products that are watched, and the time without any that they are compared with. */
const PRODUCTS = 3
const IDLE_MS = 500

/** Notes how late each timer of a chain comes. */
class DelayWatch {
  readonly delays: number[] = []
  #due = 0
  #timer: NodeJS.Timeout | undefined

  start(): void {
    this.#due = performance.now() + PERIOD_MS
    this.#timer = setTimeout(() => {
      this.#note()
      this.start()
    }, PERIOD_MS)
  }

  /** A timer that is overdue counts with its delay so far. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#note()
  }

  #note(): void {
    this.delays.push(Math.max(0, performance.now() - this.#due))
  }
}

async function watch(work: () => Promise<unknown>): Promise<readonly number[]> {
  const delays = new DelayWatch()
  delays.start()
  await work()
  delays.stop()
  return delays.delays
}

/** The row of a device of so many threads. */
export async function measureEventLoop(
  session: Session,
  threads: number,
  shape: GemmShape,
): Promise<EventLoopRow> {
  const { m, n, k } = shape
  const device = await session.best(threads)
  const plan = await planGemm(device, { n, k, m: { max: m } })
  using a = await randomQuantized(device, [m, k], '1x128')
  using b = await randomQuantized(device, [n, k], '128x128')
  using out = device.zeros({ dtype: 'bf16', shape: [m, n] })
  const idle = await watch(() => new Promise((resolve) => setTimeout(resolve, IDLE_MS)))
  const start = performance.now()
  const busy = await watch(async () => {
    for (let product = 0; product < PRODUCTS; product++) {
      session.options.signal.throwIfAborted()
      plan.run({ a, b, out })
      await device.defaultStream.synchronize()
    }
  })
  return {
    ...{ m, n, k, threads, isa: device.architecture },
    seconds: rounded((performance.now() - start) / 1000),
    worst_delay_ms: rounded(Math.max(...busy)),
    p99_delay_ms: rounded(quantile(busy, 0.99)),
    median_delay_ms: rounded(median(busy)),
    idle_worst_delay_ms: rounded(Math.max(...idle)),
    idle_p99_delay_ms: rounded(quantile(idle, 0.99)),
  }
}
