import type { Writable } from 'node:stream'
import { DeepGemmError } from 'deepgemm'
import { benchmark } from './benchmark.js'
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

/** Runs a command line to its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function run(args: readonly string[], host: RunHost): Promise<number> {
  const { stdout, stderr, signal } = host
  try {
    if (args.includes('--help')) {
      stdout.write(USAGE)
      return 0
    }
    const options = parseOptions(args)
    if (options.out !== undefined) await requireWritable(options.out)
    const command = ['node tools/bench/dist/main.js', ...args].join(' ')
    const say = (line: string): boolean => stderr.write(`${line}\n`)
    const report = await benchmark(options, { command, signal, say })
    stdout.write(reportTables(report))
    if (options.out !== undefined) {
      await writeReport(options.out, report)
      say(`written to ${options.out}`)
    }
    return 0
  } catch (error) {
    if (signal.aborted) return INTERRUPTED
    stderr.write(`bench: ${(error as Error).message}\n`)
    if (args.includes('--debug')) stderr.write(`${(error as Error).stack}\n`)
    return error instanceof DeepGemmError && error.code === 'ERR_OPTION' ? 2 : 1
  }
}
