// Pure: a GPU report for people.

import { type Cell, textTable } from '../output/table.js'
import type { GpuReport } from './report.js'
import { type GpuRow, geometricMeans, type MeanRow } from './rows.js'

export type Column<Row> = readonly [name: string, cell: (row: Row) => Cell]

export const fixed = (value: number | null, digits: number): Cell =>
  value === null ? null : Number(value.toFixed(digits))

export const over = (value: number | null, base: number | null): Cell =>
  value === null || base === null ? null : fixed(value / base, 2)

const ROWS: readonly Column<GpuRow>[] = [
  ['problem', (row) => row.problem],
  ['M x N x K', ({ m, n, k }) => `${m}x${n}x${k}`],
  ['ours us', (row) => fixed(row.ours_us, 2)],
  ['DeepGEMM', (row) => fixed(row.deepgemm_us, 2)],
  ['x', (row) => over(row.deepgemm_us, row.ours_us)],
  ['cuBLASLt', (row) => fixed(row.cublaslt_block_us, 2)],
  ['x', (row) => over(row.cublaslt_block_us, row.ours_us)],
  ['floor', (row) => fixed(row.weight_read_floor_us, 2)],
  ['x floor', (row) => over(row.ours_us, row.weight_read_floor_us)],
  ['TFLOP/s', ({ m, n, k, ours_us }) => fixed((2 * m * n * k) / ours_us / 1e6, 0)],
  ['error', (row) => row.max_error?.toExponential(1) ?? 'NaN'],
  ['config', (row) => row.config],
]

const MEANS: readonly Column<MeanRow>[] = [
  ['geometric means', ({ problem, m }) => (m === undefined ? problem : `${problem}, M = ${m}`)],
  ['x DeepGEMM', (row) => fixed(row.deepgemm, 3)],
  ['worst', (row) => fixed(row.deepgemm_worst, 2)],
  ['x DeepGEMM dependent', (row) => fixed(row.deepgemm_dependent, 3)],
  ['x cuBLASLt', (row) => fixed(row.cublaslt, 3)],
  ['x floor', (row) => fixed(row.floor, 3)],
]

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const header = columns.map(([name]) => name)
  return textTable(
    header,
    rows.map((row) => columns.map(([, cell]) => cell(row))),
  )
}

/** Rows, means, and what compiling and launching cost. */
export function gpuTables({ meta, rows, jit, host }: GpuReport): string {
  const bare = host.bare_launch_us === null ? 'not measured' : `${host.bare_launch_us} us`
  return [
    `${meta.device}, driver ${meta.driver ?? 'unknown'}, commit ${meta.commit}\n`,
    table(ROWS, rows),
    table(MEANS, geometricMeans(rows)),
    `compile ${jit.first_compile_s} s (first of the process ${jit.process_first_compile_s} s), ` +
      `cached kernel ${jit.cached_load_ms} ms, ${jit.compiler}\n` +
      `plan.run ${host.run_us} us on the host, launch of an empty kernel ${bare} from C++, ` +
      `${host.runtime_launch_us} us through the runtime\n`,
  ].join('\n')
}
