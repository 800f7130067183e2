// What a call from TypeScript costs beyond the kernel, and what a pause does to the next call.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, planGemm } from 'deepgemm'
import { randomQuantized } from '../operands.js'
import type { GemmShape, OverheadCase } from '../plan/cases.js'
import { type Contestant, measureRounds, timed } from '../plan/rounds.js'
import { type OverheadRow, samplesOf } from '../report.js'
import type { Session } from '../session.js'
import { median, pairedRatio, rounded } from '../stats.js'

const NATIVE = 'native'
const AWAITED = 'awaited'
const PIPELINED = 'pipelined'
const AFTER_PAUSE = 'after a pause'
const ONE_THREAD = 'after a pause, one thread'

const PAUSE_MS = 3
/** Calls after a pause within one sample. */
const PAUSED_CALLS = 15

type Call = { enqueue(): void; settle(): Promise<void>; dispose(): void }

async function prepareCall(device: Device, { m, n, k }: GemmShape): Promise<Call> {
  const plan = await planGemm(device, { n, k, m: { max: m } })
  const a = await randomQuantized(device, [m, k], '1x128')
  const b = await randomQuantized(device, [n, k], '128x128')
  const out = device.zeros({ dtype: 'bf16', shape: [m, n] })
  return {
    enqueue: () => plan.run({ a, b, out }),
    settle: () => device.defaultStream.synchronize(),
    dispose: () => {
      for (const tensor of [a, b, out]) tensor.dispose()
    },
  }
}

async function awaitedSeconds(call: Call): Promise<number> {
  return timed(() => {
    call.enqueue()
    return call.settle()
  })
}

async function medianOf(calls: number, one: () => Promise<number>): Promise<number> {
  const seconds: number[] = []
  for (let i = 0; i < calls; i++) seconds.push(await one())
  return median(seconds)
}

async function pipelinedSeconds(call: Call, calls: number): Promise<number> {
  const seconds = await timed(() => {
    for (let i = 0; i < calls; i++) call.enqueue()
    return call.settle()
  })
  return seconds / calls
}

function afterPause(call: Call): Promise<number> {
  return medianOf(PAUSED_CALLS, async () => {
    await sleep(PAUSE_MS)
    return awaitedSeconds(call)
  })
}

/** The row of a device of so many threads. */
export async function measureOverhead(
  session: Session,
  threads: number,
  { shape, calls }: OverheadCase,
): Promise<OverheadRow> {
  const device = await session.best(threads)
  const machine = session.machine(threads)
  const call = await prepareCall(device, shape)
  const single = await prepareCall(await session.best(1), shape)
  const contestants: Contestant[] = [
    { name: NATIVE, run: () => machine.gemmSeconds(shape, device.architecture, calls) },
    { name: AWAITED, run: () => medianOf(calls, () => awaitedSeconds(call)) },
    { name: PIPELINED, run: () => pipelinedSeconds(call, calls) },
    { name: AFTER_PAUSE, run: () => afterPause(call) },
    { name: ONE_THREAD, run: () => afterPause(single) },
  ]
  try {
    const samples = await measureRounds(contestants, session.options)
    return overheadRow(shape, { threads, isa: device.architecture }, samples)
  } finally {
    call.dispose()
    single.dispose()
  }
}

type Setting = { readonly threads: number; readonly isa: string }

/** Pure: the row from the samples. */
export function overheadRow(
  shape: GemmShape,
  setting: Setting,
  samples: ReadonlyMap<string, readonly number[]>,
): OverheadRow {
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  const us = (seconds: readonly number[]): number => rounded(median(seconds) * 1e6)
  const above = (name: string): number =>
    us(of(name).map((seconds, i) => seconds - (of(NATIVE)[i] as number)))
  return {
    ...shape,
    ...setting,
    native_us: us(of(NATIVE)),
    awaited_us: us(of(AWAITED)),
    awaited_overhead_us: above(AWAITED),
    pipelined_us: us(of(PIPELINED)),
    pipelined_overhead_us: above(PIPELINED),
    after_pause_us: us(of(AFTER_PAUSE)),
    after_pause_one_thread_us: us(of(ONE_THREAD)),
    after_pause_ratio: rounded(pairedRatio(of(AFTER_PAUSE), of(ONE_THREAD))),
  }
}
