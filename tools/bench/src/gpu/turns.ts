// Contestants that take turns on the GPU.

import { roundOrder } from '../plan/rounds.js'

/** Replays its work and resolves with the microseconds per launch of each replay. */
export type Contestant<Name extends string> = {
  readonly name: Name
  times(replays: number): Promise<readonly number[]>
}

export type TurnOptions = {
  readonly rounds: number
  readonly replays: number
  readonly signal: AbortSignal
}

/** Times of every replay of all rounds; the order changes from round to round. */
export async function takeTurns<Name extends string>(
  contestants: readonly Contestant<Name>[],
  { rounds, replays, signal }: TurnOptions,
): Promise<Partial<Record<Name, readonly number[]>>> {
  const samples: Partial<Record<Name, number[]>> = {}
  for (let round = 0; round < rounds; round++) {
    for (const i of roundOrder(contestants.length, round)) {
      signal.throwIfAborted()
      const { name, times } = contestants[i] as Contestant<Name>
      samples[name] = [...(samples[name] ?? []), ...(await times(replays))]
    }
  }
  return samples
}
