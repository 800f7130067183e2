import { textBar } from './bar.js'
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

/** How often the time left is drawn while nothing advances. */
const TICK_MS = 1000

/** Clears from where the cursor is to the end of the line. */
const CLEAR_REST = '\u001b[K'

/** Of a terminal that does not tell. */
const DEFAULT_COLUMNS = 80

/** Characters of the bar: beside a path and the time left it fits a terminal of 100. */
const BAR_WIDTH = 20

/** A bar with the time left in a terminal, two plain lines elsewhere; on stderr. */
export function startProgress(terminal: Terminal, title: string, total: number): Progress {
  return terminal.interactive
    ? new BarProgress(terminal, title, total)
    : new PlainProgress(terminal, title)
}

class BarProgress implements Progress {
  readonly #terminal: Terminal
  readonly #title: string
  readonly #total: number
  readonly #started = performance.now()
  /** Draws while nothing advances, so that the time left goes on. */
  readonly #timer: NodeJS.Timeout
  #done = 0
  #advanced = this.#started
  #drawn = 0
  #what = ''

  constructor(terminal: Terminal, title: string, total: number) {
    this.#terminal = terminal
    this.#title = title
    this.#total = Math.max(total, Number.MIN_VALUE)
    this.#timer = setInterval(() => this.#draw(), TICK_MS)
    this.#timer.unref()
    this.#draw()
  }

  advance(amount: number, what?: string): void {
    const now = performance.now()
    this.#done += amount
    if (amount > 0) this.#advanced = now
    const isNew = what !== undefined && what !== this.#what
    if (isNew) this.#what = what
    if (isNew || now - this.#drawn >= INTERVAL_MS) this.#draw()
  }

  #draw(): void {
    this.#drawn = performance.now()
    const share = Math.min(this.#done / this.#total, 1)
    const bar = textBar(share, BAR_WIDTH).padEnd(BAR_WIDTH, '·')
    const what = this.#what === '' ? '' : `: ${this.#what}`
    const text = `${bar} ${Math.floor(100 * share)} %${this.#timeLeft()}  ${this.#title}${what}`
    // Names in it may be anybody's: nothing but what can be printed, and no second line.
    const line = text.replaceAll(/\p{C}/gu, '').slice(0, columnsOf(this.#terminal) - 1)
    this.#terminal.stderr.write(`\r${line}${CLEAR_REST}`)
  }

  #timeLeft(): string {
    const elapsed = this.#advanced - this.#started
    if (elapsed < WARM_UP_MS || this.#done === 0) return ''
    const atAdvance = elapsed * (this.#total / this.#done - 1)
    const left = atAdvance - (performance.now() - this.#advanced)
    return `, ${formatDuration(Math.max(left, 0) / 1000)} left`
  }

  finish(message: string): void {
    this.fail()
    this.#terminal.stderr.write(`${message}\n`)
  }

  fail(): void {
    clearInterval(this.#timer)
    this.#terminal.stderr.write(`\r${CLEAR_REST}`)
  }
}

function columnsOf({ stderr }: Terminal): number {
  return (stderr as { columns?: number }).columns || DEFAULT_COLUMNS
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
