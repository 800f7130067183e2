import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process, so that another can tell whether it still runs. */
export type ProcessIdentity = {
  /** Where `pid` has a meaning: the machine, its boot and its pid namespace, as a short digest. */
  readonly host: string
  readonly pid: number
  /** When it started, in the kernel's ticks; tells a reused pid. Empty where unknown. */
  readonly started: string
}

let current: ProcessIdentity | undefined

export function currentProcess(): ProcessIdentity {
  current ??= {
    host: hostDigest(),
    pid: process.pid,
    started: processState(process.pid)?.started ?? '',
  }
  return current
}

/** A name that no other process or thread draws. */
export function nonce(): string {
  return randomBytes(8).toString('hex')
}

/** True only when it certainly ended: a process of another host may always still run. */
export function hasEnded({ host, pid, started }: ProcessIdentity): boolean {
  if (host !== currentProcess().host) return false
  if (!signalReaches(pid)) return true
  const state = processState(pid)
  if (state === undefined) return false
  return state.zombie || (started !== '' && state.started !== started)
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** From /proc; undefined on systems without it. A killed but unreaped process is a zombie. */
function processState(pid: number): { zombie: boolean; started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the name, may hold spaces and parentheses; the last ')' closes it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { zombie: fields[0] === 'Z' || fields[0] === 'X', started: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function hostDigest(): string {
  const parts = [
    hostname(),
    attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    attempt(() => readlinkSync('/proc/self/ns/pid')),
  ]
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 8)
}

function attempt(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
