import { FORMAT, type SuiteCase, type SuiteResult, type SuiteRow } from '@deepgemm/bench'

export type ResultOptions = {
  /** Multiplies our times. */
  readonly ours?: number
  /** Multiplies the times of everything that nobody changed. */
  readonly machine?: number
  readonly layers?: readonly string[]
  readonly rows?: readonly number[]
  readonly version?: string
}

const ROUNDS = 9

/** Nine samples around a time, half a percent apart. */
function samples(us: number): number[] {
  return Array.from({ length: ROUNDS }, (_, i) => us * (1 + ((i * 5) % ROUNDS) / 200))
}

/** A result as a run on a GPU writes it. */
export function madeResult({
  ours = 1,
  machine = 1,
  layers = ['q up', 'down'],
  rows = [1, 64, 1024],
  version = '2.6.1',
}: ResultOptions = {}): SuiteResult {
  const cases = layers.flatMap((layer, i) =>
    rows.map(
      (m): SuiteCase => ({
        ...{ layer, problem: 'dense', m, n: 4096 + 1024 * i, k: 7168, groups: 1 },
      }),
    ),
  )
  return {
    format: FORMAT,
    meta: { ...META },
    contestants: {
      ours: { label: 'ours', version: '', operands: 'e4m3, block scales' },
      peer: { label: 'A peer <b>', version, operands: 'e4m3, block scales' },
      floats: { label: 'Floats', version: '1', operands: 'f32' },
    },
    ceilings: {
      read_gbs: samples(3000),
      peaks: [
        { label: 'FP8 tensor cores', gflops: samples(1.6e6) },
        { label: 'with promotion', gflops: samples(1.3e6) },
      ],
    },
    formats: [
      { operands: 'e4m3, block scales', normal: 7e-4, outliers: 3.5e-4 },
      { operands: 'f32', normal: 0, outliers: 0 },
    ],
    rows: cases.map((item) => madeRow(item, ours, machine)),
  }
}

function madeRow(item: SuiteCase, ours: number, machine: number): SuiteRow {
  const us = 10 + item.m / 20
  return {
    ...item,
    config: '128x128/s5/bf16',
    figures: {
      ours: { us: samples(us * ours), error: 1.4e-6 },
      peer: { us: samples(us * machine * (item.m === 64 ? 0.9 : 1.2)), error: 1.4e-6 },
      floats: { us: samples(us * machine * 4), error: 1e-14 },
    },
    floor_us: samples(9 * machine),
  }
}

const META: SuiteResult['meta'] = {
  ...{ device: 'A GPU', kind: 'cuda', architecture: 'sm_90', parallelism: 132, set: 'a model' },
  ...{ source: 'its config.json', rounds: ROUNDS, os: 'Linux', node: '20.19.0', version: '0.1.0' },
  ...{ commit: 'abc', command: 'deepgemm bench', date: '2026-01-02T03:04:05.678Z', seconds: 60 },
  ...{ sittings: 1, load_before: [0.5], load_after: [0.6], driver: '580', clocks: null },
  ...{ missing: ['triton: ImportError'], method: 'in turn' },
}
