import type { Writable } from 'node:stream'
import pc from 'picocolors'

type Colors = ReturnType<typeof pc.createColors>

/** Where a command writes, and how. Results go to stdout, progress and errors to stderr. */
export type Terminal = {
  readonly stdout: Writable
  readonly stderr: Writable
  /** A person watches: progress bars and colours make sense. */
  readonly interactive: boolean
  /** Machine-readable results on stdout, nothing else there. */
  readonly json: boolean
  readonly colors: Colors
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** The terminal of this process. */
export function processTerminal(json: boolean, signal: AbortSignal): Terminal {
  const interactive = process.stderr.isTTY === true && process.env['CI'] === undefined
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    interactive,
    json,
    colors: pc.createColors(process.stdout.isTTY === true && pc.isColorSupported),
    signal,
  }
}

/** One line of human output; nothing with --json. */
export function say(terminal: Terminal, line = ''): void {
  if (!terminal.json) terminal.stdout.write(`${line}\n`)
}

/** The result of a command for machines; nothing without --json. */
export function sayJson(terminal: Terminal, value: unknown): void {
  if (terminal.json) terminal.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
