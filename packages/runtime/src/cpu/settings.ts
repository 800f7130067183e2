import { cpus } from 'node:os'
import { OptionError, requireInteger } from '@deepgemm/core'
import type { CpuInfo } from '../native/addon.js'

/** Most threads a device may be given. */
const MAX_THREADS = 1024

/** What a caller may choose of a CPU device. */
export type CpuOptions = {
  /** Threads of the pool; default `DEEPGEMM_THREADS`, else what affinity and cgroup allow. */
  readonly threads?: number
  /** Instruction set of the kernels; default `DEEPGEMM_ISA`, else the best the machine has. */
  readonly isa?: string
}

/** A CPU device's settings, complete and checked. */
export type CpuSettings = {
  readonly name: string
  readonly threads: number
  readonly isa: string
  /** By how much the niceness of threads that compute exceeds that of the JavaScript thread. */
  readonly nicer: number
}

/** Most that a niceness can be raised. */
const MAX_NICER = 19
/** A tenth of an ordinary thread's share of a processor that both want. */
const NICER = 10

/**
 * Options before environment before what the machine offers.
 *
 * @throws {OptionError}
 */
export function cpuSettings(
  options: CpuOptions,
  info: CpuInfo,
  env: Readonly<Record<string, string | undefined>> = process.env,
): CpuSettings {
  const isa = options.isa ?? (env['DEEPGEMM_ISA'] || info.defaultIsa)
  if (!info.isas.includes(isa)) {
    throw new OptionError('The CPU device has no such instruction set', {
      given: isa,
      allowed: info.isas.join(', '),
      remedy: 'Correct the option isa or the variable DEEPGEMM_ISA.',
    })
  }
  const threads = threadCount(options, info, env)
  return {
    name: cpus()[0]?.model.trim() || process.arch,
    threads,
    isa,
    nicer: niceness(threads, info, env),
  }
}

/**
 * Threads that take every processor must give way to the event loop: at the same priority it would
 * wait for the end of their time slices, milliseconds each.
 */
function niceness(
  threads: number,
  info: CpuInfo,
  env: Readonly<Record<string, string | undefined>>,
): number {
  const variable = env['DEEPGEMM_NICE']
  if (variable !== undefined && variable !== '') {
    return requireInteger('The variable DEEPGEMM_NICE', Number(variable), 0, MAX_NICER)
  }
  return threads >= info.defaultThreads ? NICER : 0
}

function threadCount(
  options: CpuOptions,
  info: CpuInfo,
  env: Readonly<Record<string, string | undefined>>,
): number {
  if (options.threads !== undefined) {
    return requireInteger('The option threads', options.threads, 1, MAX_THREADS)
  }
  const variable = env['DEEPGEMM_THREADS']
  if (variable === undefined || variable === '') return info.defaultThreads
  return requireInteger('The variable DEEPGEMM_THREADS', Number(variable), 1, MAX_THREADS)
}
