import type { Writable } from 'node:stream'
import { DeepGemmError } from 'deepgemm'
import { type BenchHost, benchmark } from './benchmark.js'
import { gpuBenchmark } from './gpu/benchmark.js'
import { moeBenchmark } from './gpu/moe/benchmark.js'
import { moeTables, rowsByKind } from './gpu/moe/report.js'
import { GPU_USAGE, parseGpuOptions, parseMoeOptions } from './gpu/options.js'
import { requireRight } from './gpu/rows.js'
import { gpuTables } from './gpu/tables.js'
import { parseOptions, USAGE } from './options.js'
import { reportTables } from './output/tables.js'
import { requireWritable, writeReport } from './output/write-report.js'

export type RunHost = {
  readonly stdout: Writable
  readonly stderr: Writable
  readonly signal: AbortSignal
}

/** Exit code of a process that Ctrl-C ended. */
const INTERRUPTED = 130

type Run = (args: readonly string[], host: RunHost) => Promise<void>

/** What the first word of a command line asks for, where it is not the CPU. */
const RUNS: ReadonlyMap<string | undefined, Run> = new Map([
  ['gpu', runGpu],
  ['gpu-moe', runMoe],
])

/** Runs a command line to its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function run(args: readonly string[], host: RunHost): Promise<number> {
  const { stdout, stderr, signal } = host
  try {
    if (args.includes('--help')) {
      stdout.write(`${USAGE}\n${GPU_USAGE}`)
      return 0
    }
    await (RUNS.get(args[0]) ?? runCpu)(args, host)
    return 0
  } catch (error) {
    if (signal.aborted) return INTERRUPTED
    stderr.write(`bench: ${(error as Error).message}\n`)
    if (args.includes('--debug')) stderr.write(`${(error as Error).stack}\n`)
    return error instanceof DeepGemmError && error.code === 'ERR_OPTION' ? 2 : 1
  }
}

async function runCpu(args: readonly string[], host: RunHost): Promise<void> {
  const options = parseOptions(args)
  if (options.out !== undefined) await requireWritable(options.out)
  const report = await benchmark(options, benchHost(args, host))
  await deliver(report, reportTables(report), options.out, host)
}

async function runGpu(args: readonly string[], host: RunHost): Promise<void> {
  const options = parseGpuOptions(args)
  if (options.out !== undefined) await requireWritable(options.out)
  const report = await gpuBenchmark(options, benchHost(args, host))
  await deliver(report, gpuTables(report), options.out, host)
  requireRight(report.rows, ({ problem, m, n, k }) => `${problem} ${m}x${n}x${k}`)
}

async function runMoe(args: readonly string[], host: RunHost): Promise<void> {
  const options = parseMoeOptions(args)
  if (options.out !== undefined) await requireWritable(options.out)
  const report = await moeBenchmark(options, benchHost(args, host))
  await deliver(report, moeTables(report), options.out, host)
  requireRight(
    rowsByKind(report.rows).products,
    ({ problem, groups, expected_m, n, k }) => `${problem} ${groups}x${expected_m}x${n}x${k}`,
  )
}

function benchHost(args: readonly string[], { stderr, signal }: RunHost): BenchHost {
  const command = ['node tools/bench/dist/main.js', ...args].join(' ')
  return { command, signal, say: (line) => stderr.write(`${line}\n`) }
}

async function deliver(
  report: object,
  tables: string,
  out: string | undefined,
  { stdout, stderr }: RunHost,
): Promise<void> {
  stdout.write(tables)
  if (out === undefined) return
  await writeReport(out, report)
  stderr.write(`written to ${out}\n`)
}
