// Pure: a report for people.

import type { CastRow, EventLoopRow, GemmRow, GroupedRow, OverheadRow, Report } from '../report.js'
import { type Cell, textTable } from './table.js'

type Column<Row> = readonly [name: string, cell: (row: Row) => Cell]

/** Rounded, and still a number: it stands right. */
function numeric(value: number | null, digits: number): Cell {
  return value === null ? null : Number(value.toFixed(digits))
}

const percent = (share: number): Cell => numeric(100 * share, 1)
const times = (ratio: number | null): Cell => numeric(ratio, 2)
const size = ({ m, n, k }: { m: number; n: number; k: number }): string => `${m}x${n}x${k}`

const GEMM: readonly Column<GemmRow>[] = [
  ['M x N x K', size],
  ['threads', (row) => row.threads],
  ['isa', (row) => row.isa],
  ['weights', (row) => (row.prepacked ? 'prepacked' : 'plain')],
  ['GFLOP/s', (row) => numeric(row.ours_gflops, 1)],
  ['peak', (row) => numeric(row.peak_gflops, 1)],
  ['% of read floor', (row) => percent(row.floor_ratio)],
  ['% of roofline', (row) => percent(row.roof_ratio)],
  ['x onnxruntime f32', (row) => times(row.onnxruntime_ratio)],
  ['x oneDNN bf16', (row) => times(row.onednn_ratio)],
  ['x oneDNN packed', (row) => times(row.onednn_prepacked_ratio)],
]

const CASTS: readonly Column<CastRow>[] = [
  ['rows x columns', (row) => `${row.rows}x${row.columns}`],
  ['cast', (row) => `${row.source} ${row.recipe}`],
  ['threads', (row) => row.threads],
  ['GB/s', (row) => numeric(row.ours_gbps, 1)],
  ['with allocation', (row) => numeric(row.call_gbps, 1)],
  ['copy', (row) => numeric(row.copy_gbps, 1)],
  ['% of copy', (row) => percent(row.copy_ratio)],
]

const OVERHEAD: readonly Column<OverheadRow>[] = [
  ['M x N x K', size],
  ['threads', (row) => row.threads],
  ['native us', (row) => numeric(row.native_us, 1)],
  ['awaited +us', (row) => numeric(row.awaited_overhead_us, 1)],
  ['pipelined +us', (row) => numeric(row.pipelined_overhead_us, 1)],
  ['after 3 ms us', (row) => numeric(row.after_pause_us, 1)],
  ['x one thread', (row) => times(row.after_pause_ratio)],
]

const GROUPED: readonly Column<GroupedRow>[] = [
  ['experts', (row) => row.name],
  ['layout', (row) => row.layout],
  ['weights', (row) => (row.prepacked ? 'prepacked' : 'plain')],
  ['N x K', (row) => `${row.n}x${row.k}`],
  ['threads', (row) => row.threads],
  ['GFLOP/s', (row) => numeric(row.ours_gflops, 1)],
  ['x dense', (row) => times(row.dense_ratio)],
  ['% of read floor', (row) => percent(row.floor_ratio)],
]

const EVENT_LOOP: readonly Column<EventLoopRow>[] = [
  ['M x N x K', size],
  ['threads', (row) => row.threads],
  ['seconds', (row) => numeric(row.seconds, 2)],
  ['worst delay ms', (row) => numeric(row.worst_delay_ms, 2)],
  ['median ms', (row) => numeric(row.median_delay_ms, 2)],
  ['99 % ms', (row) => numeric(row.p99_delay_ms, 2)],
  ['idle worst ms', (row) => numeric(row.idle_worst_delay_ms, 2)],
  ['idle 99 % ms', (row) => numeric(row.idle_p99_delay_ms, 2)],
]

/** Every section that has rows, each under its title. */
export function reportTables(report: Report): string {
  const { meta } = report
  const load = [meta.load_before, meta.load_after].map(([minute = 0]) => minute.toFixed(2))
  const head = `${meta.device}, ${meta.cores} cores, commit ${meta.commit}, load ${load.join(' to ')}`
  return [
    `${head}\n`,
    section('Dense products', GEMM, report.rows),
    section('Casts to e4m3', CASTS, report.casts),
    section('Call overhead', OVERHEAD, report.overhead),
    section('Grouped products', GROUPED, report.grouped),
    section('Event loop during products', EVENT_LOOP, report.event_loop),
  ]
    .filter((text) => text !== '')
    .join('\n')
}

function section<Row>(
  title: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string {
  if (rows.length === 0) return ''
  const header = columns.map(([name]) => name)
  const table = textTable(
    header,
    rows.map((row) => columns.map(([, cell]) => cell(row))),
  )
  return `${title}\n${table}`
}
