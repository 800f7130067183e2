// Which config serves which M, found out by measurement. Pure but for `tuneGemm`.

import {
  rankSm90Choices,
  type Sm90Choice,
  type Sm90Config,
  type Sm90Device,
  type Sm90Range,
  sm90Candidates,
  sm90ConfigName,
  tuningPoints,
} from '@deepgemm/core/sm90'
import { type CanonicalValue, deviceKernels, kernelRequest } from '@deepgemm/jit'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { gemmKernel } from './configs.js'

/** Configs that are measured for one M. Single predictions are off by 17 %. */
const SHORTLIST = { most: 4, within: 1.25 }
/** Values of M that are measured at most. */
const MOST_POINTS = 32
/** Others must take less than this share of the time of the cost model's choice to replace it. */
const GAIN = 0.99

/** Products of M rows, and of all M below it down to the case before, with what may serve them. */
export type TuningCase = {
  readonly m: number
  /** The cost model's choice first. */
  readonly shortlist: readonly Sm90Choice[]
}

/** A case with the config that serves it. */
export type TunedCase = { readonly m: number; readonly config: Sm90Config }

export function tuningCases(range: Sm90Range, device: Sm90Device): readonly TuningCase[] {
  const { family, m, n, k } = range
  const configs = sm90Candidates(family)
  return tuningPoints(m, MOST_POINTS).map((rows) => ({
    m: rows,
    shortlist: rankSm90Choices(configs, { m: rows, n, k }, device, SHORTLIST),
  }))
}

/** The place in a shortlist of what served its case best, by the times of all of them. */
export function quickest(times: readonly number[]): number {
  const [first = 0] = times
  const least = Math.min(...times)
  return least < GAIN * first ? times.indexOf(least) : 0
}

/** The cases with what served them best; the cost model's choice where an answer is no answer. */
export function tunedCases(cases: readonly TuningCase[], answer: unknown): readonly TunedCase[] {
  const places: readonly unknown[] = Array.isArray(answer) ? answer : []
  return cases.map(({ m, shortlist }, i) => {
    const place = places[i]
    const chosen = typeof place === 'number' ? shortlist[place] : undefined
    return { m, config: (chosen ?? (shortlist[0] as Sm90Choice)).config }
  })
}

/** What serves a product of M rows. */
export function tunedConfig(cases: readonly TunedCase[], m: number): Sm90Config {
  return (cases.find((at) => m <= at.m) ?? (cases.at(-1) as TunedCase)).config
}

/** Measures cases: microseconds of each of a shortlist. */
export interface CaseTimer extends Disposable {
  time(at: TuningCase): Promise<readonly number[]>
}

/**
 * What serves a range of products best on this device: from the cache, or measured now with the
 * timer that `prepare` makes for all configs in question.
 */
export async function tuneGemm(
  device: CudaDevice,
  range: Sm90Range,
  prepare: (configs: readonly Sm90Config[]) => Promise<CaseTimer>,
): Promise<readonly TunedCase[]> {
  const cases = tuningCases(range, device.properties)
  // Candidates are made once per call: the same config is the same object.
  const configs = [...new Set(cases.flatMap(({ shortlist }) => shortlist.map((at) => at.config)))]
  const about = await question(device, range, cases, configs)
  const measured = deviceKernels(device).measured({ subject: 'gemm_tuning', about }, async () => {
    using timer = await prepare(configs)
    const places: number[] = []
    for (const at of cases) places.push(quickest(await timer.time(at)))
    return places
  })
  return tunedCases(cases, (await measured).value)
}

/** All that the answer depends on: the device, the products, the kernels and their sources. */
async function question(
  { name, properties }: CudaDevice,
  { family, m, n, k }: Sm90Range,
  cases: readonly TuningCase[],
  configs: readonly Sm90Config[],
): Promise<CanonicalValue> {
  const programs = await Promise.all(configs.map((config) => kernelRequest(gemmKernel(config))))
  return {
    device: { name, multiprocessors: properties.multiprocessors },
    products: { ...family, m, n, k },
    cases: cases.map(({ m: rows, shortlist }) => ({
      m: rows,
      shortlist: shortlist.map(({ config, streaming }) => `${sm90ConfigName(config)} ${streaming}`),
    })),
    programs: programs.map(({ sourceSha256 = '' }) => sourceSha256).sort(),
  }
}
