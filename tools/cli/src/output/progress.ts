import { progress } from '@clack/prompts'
import { formatDuration } from './format.js'
import type { Terminal } from './terminal.js'

/** Progress of a job whose size is known. */
export interface Progress {
  /** Moves on by `amount` of the total; `what` is done next. */
  advance(amount: number, what?: string): void
  /** Ends with a line that says what was achieved. */
  finish(message: string): void
  /** Ends without success. */
  fail(): void
}

/** Least time between two updates of a bar, in milliseconds. */
const INTERVAL_MS = 100

/** Before this, starting up weighs too much for the time left to mean anything. */
const WARM_UP_MS = 1000

/** Characters of the bar: beside a path and the time left it fits a terminal of 100. */
const BAR_WIDTH = 20

/** A bar with the time left in a terminal, two plain lines elsewhere; on stderr. */
export function startProgress(terminal: Terminal, title: string, total: number): Progress {
  return terminal.interactive
    ? new BarProgress(terminal, title, total)
    : new PlainProgress(terminal, title)
}

class BarProgress implements Progress {
  readonly #title: string
  readonly #total: number
  readonly #bar: ReturnType<typeof progress>
  readonly #started = performance.now()
  #done = 0
  #shown = 0
  #updated = 0
  #what = ''

  constructor(terminal: Terminal, title: string, total: number) {
    this.#title = title
    this.#total = Math.max(total, 1)
    this.#bar = progress({
      max: 100,
      size: BAR_WIDTH,
      output: terminal.stderr,
      signal: terminal.signal,
    })
    this.#bar.start(title)
  }

  advance(amount: number, what?: string): void {
    this.#done += amount
    const now = performance.now()
    const isNew = what !== undefined && `: ${what}` !== this.#what
    if (isNew) this.#what = `: ${what}`
    if (now - this.#updated < INTERVAL_MS && this.#done < this.#total && !isNew) return
    this.#updated = now
    const percent = Math.floor((100 * this.#done) / this.#total)
    const text = `${this.#title}  ${percent} %${this.#timeLeft(now)}${this.#what}`
    this.#bar.advance(percent - this.#shown, text)
    this.#shown = percent
  }

  #timeLeft(now: number): string {
    const elapsed = now - this.#started
    if (elapsed < WARM_UP_MS || this.#done === 0) return ''
    const left = (elapsed / 1000) * (this.#total / this.#done - 1)
    return `, ${formatDuration(left)} left`
  }

  finish(message: string): void {
    this.#bar.stop(message)
  }

  fail(): void {
    this.#bar.error(this.#title)
  }
}

class PlainProgress implements Progress {
  readonly #terminal: Terminal

  constructor(terminal: Terminal, title: string) {
    this.#terminal = terminal
    terminal.stderr.write(`${title} ...\n`)
  }

  advance(): void {}

  finish(message: string): void {
    this.#terminal.stderr.write(`${message}\n`)
  }

  fail(): void {}
}
