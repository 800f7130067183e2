// Samples of several contestants, taken in turn.

import { setTimeout as sleep } from 'node:timers/promises'

/** One of those that are compared: measures one piece of work and resolves with its seconds. */
export type Contestant = { readonly name: string; run(): Promise<number> }

export type RoundOptions = {
  readonly rounds: number
  readonly signal: AbortSignal
  /** Rest before each contestant, so that no thread of the one before still polls. */
  readonly pauseMs?: number
}

/** Longer than any pool of the contestants polls for work. */
const PAUSE_MS = 15

/** Work shorter than this is repeated within a sample, and runs once beforehand to wake threads. */
const SHORT_SECONDS = 0.02
const SHORT_REPEATS = 3

/**
 * The order of the contestants in one round: every other round backwards, and starting with
 * another one each time, so that nobody always runs after the same neighbour.
 */
export function roundOrder(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, i) => (i + round) % Math.max(count, 1))
  return round % 2 === 0 ? order : order.reverse()
}

/** Seconds of every contestant in every round, by name. Each runs once before, unmeasured. */
export async function measureRounds(
  contestants: readonly Contestant[],
  { rounds, signal, pauseMs = PAUSE_MS }: RoundOptions,
): Promise<Map<string, number[]>> {
  const samples = new Map(contestants.map(({ name }) => [name, [] as number[]]))
  const first: number[] = []
  for (const contestant of contestants) {
    signal.throwIfAborted()
    first.push(await contestant.run())
  }
  for (let round = 0; round < rounds; round++) {
    for (const i of roundOrder(contestants.length, round)) {
      signal.throwIfAborted()
      await sleep(pauseMs)
      const contestant = contestants[i] as Contestant
      const seconds = await sample(contestant, (first[i] as number) < SHORT_SECONDS)
      samples.get(contestant.name)?.push(seconds)
    }
  }
  return samples
}

async function sample(contestant: Contestant, short: boolean): Promise<number> {
  if (!short) return contestant.run()
  await contestant.run()
  let total = 0
  for (let i = 0; i < SHORT_REPEATS; i++) total += await contestant.run()
  return total / SHORT_REPEATS
}

/** Runs `work` and returns the seconds it took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
