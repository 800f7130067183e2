import {
  caseText,
  openBench,
  type ProblemSet,
  runSuite,
  type SuiteBench,
  type SuiteResult,
  type SuiteWatcher,
  wrongProducts,
} from '@deepgemm/bench'
import { type Device, OptionError } from 'deepgemm'
import { deliver } from '../bench/deliver.js'
import { requireWritableFolder } from '../bench/files.js'
import { peerList, rowList, weightExtents } from '../bench/options.js'
import { denseCases, firstLook, modelProblems, takesOn } from '../bench/problems.js'
import { describeDevice, openDevice } from '../device.js'
import { type RawOptions, text, wholeNumber } from '../options.js'
import { type Progress, startProgress } from '../output/progress.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'
import { modelProducts } from '../warm/model-products.js'

/** Few and many rows; more than a CPU wants to wait for on a GPU. */
const ROWS = { cpu: [1, 8, 64, 512], cuda: [1, 16, 64, 256, 1024, 4096] } as const

/** `deepgemm bench [model]`: exit code 1 when a product of ours is wrong. */
export async function benchCommand(
  terminal: Terminal,
  model: string | undefined,
  options: RawOptions,
): Promise<number> {
  const { signal } = terminal
  const rounds = wholeNumber(options, 'rounds', { fallback: 9, min: 1, max: 1000 })
  const peers = peerList(options)
  const files = await filesOf(options)
  const python = options['python'] === undefined ? undefined : text(options, 'python')
  const choice = choiceOf(model, options)
  const device = await openDevice({ device: 'auto', ...options })
  const title = describeDevice(device)
  let bench: SuiteBench | undefined
  try {
    const set = await problemsOf(choice, device)
    say(terminal, `${set.name} on ${title}`)
    bench = await openBench({ device, set, rounds, peers, python, signal })
    const result = await measure(terminal, bench, set, { rounds, fresh: options['fresh'] === true })
    await deliver(terminal, result, files)
    return conclude(terminal, result)
  } finally {
    await (bench === undefined ? device.dispose() : bench.close())
  }
}

type Choice = {
  readonly model: string | undefined
  readonly rows: readonly number[] | undefined
  readonly extents: { readonly n: number; readonly k: number } | undefined
  readonly experts: number
}

/** @throws {OptionError} */
function choiceOf(model: string | undefined, options: RawOptions): Choice {
  const extents = weightExtents(options)
  if (extents !== undefined && model !== undefined) {
    throw new OptionError('A model has its own --n and --k', {
      given: `${model}, and --n ${extents.n} --k ${extents.k}`,
      allowed: 'a model, or --n and --k; --m with either',
    })
  }
  const experts = wholeNumber(options, 'experts', { fallback: 8, min: 1, max: 1024 })
  return { model, rows: rowList(options), extents, experts }
}

async function problemsOf(choice: Choice, device: Device): Promise<ProblemSet> {
  const { model, extents, experts } = choice
  const rows = choice.rows ?? ROWS[device.kind]
  if (extents !== undefined) {
    const { n, k } = extents
    return { name: `${n} x ${k}`, cases: denseCases('given', n, k, rows) }
  }
  if (model === undefined) return firstLook(rows)
  const products = await modelProducts(model)
  const set = modelProblems(model, products, { rows, experts, takes: takesOn(device.kind) })
  if (set.cases.length > 0) return set
  throw new OptionError('There is nothing to measure', {
    given: `${model}, --m ${rows.join(',')}`,
    allowed: 'a model with weights that the device multiplies',
  })
}

async function filesOf(options: RawOptions) {
  const fileOf = async (name: 'out' | 'report'): Promise<string | undefined> => {
    if (options[name] === undefined) return undefined
    const file = text(options, name)
    await requireWritableFolder(`--${name}`, file)
    return file
  }
  return { out: await fileOf('out'), report: await fileOf('report') }
}

async function measure(
  terminal: Terminal,
  bench: SuiteBench,
  set: ProblemSet,
  { rounds, fresh }: { readonly rounds: number; readonly fresh: boolean },
): Promise<SuiteResult> {
  const others = Object.values(bench.contestants).slice(1)
  say(terminal, `beside ${others.map(({ label }) => label).join(', ') || 'no other library'}`)
  for (const reason of bench.missing) terminal.stderr.write(`missing: ${reason}\n`)
  const command = ['deepgemm', ...process.argv.slice(2)].join(' ')
  const watching = new Watching(terminal)
  try {
    const { signal } = terminal
    const watcher: SuiteWatcher = watching
    const result = await runSuite(bench, { set, rounds, command, fresh, signal, watcher })
    watching.finish(result.meta.seconds)
    return result
  } catch (error) {
    watching.fail()
    throw error
  }
}

/** A progress bar over the work, and what was done when it is interrupted. */
class Watching implements SuiteWatcher {
  readonly #terminal: Terminal
  #progress: Progress | undefined
  #rows = 0
  #done = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  begin({ rows, known, work }: Parameters<SuiteWatcher['begin']>[0]): void {
    this.#rows = rows
    this.#done = known
    if (known > 0) {
      const note = `${known} of ${rows} products were measured before an interruption; --fresh drops them`
      this.#terminal.stderr.write(`${note}\n`)
    }
    this.#progress = startProgress(this.#terminal, `Measuring ${rows - known} products`, work)
  }

  next(item: Parameters<SuiteWatcher['next']>[0]): void {
    this.#progress?.advance(0, `${item.layer}, ${caseText(item)}`)
  }

  done(_row: Parameters<SuiteWatcher['done']>[0], work: number): void {
    this.#done++
    this.#progress?.advance(work)
  }

  finish(seconds: number): void {
    this.#progress?.finish(`Measured ${this.#rows} products in ${seconds} s`)
  }

  fail(): void {
    this.#progress?.fail()
    if (!this.#terminal.signal.aborted || this.#progress === undefined) return
    this.#terminal.stderr.write(
      `${this.#done} of ${this.#rows} products are measured; the same command goes on from there\n`,
    )
  }
}

function conclude(terminal: Terminal, result: SuiteResult): number {
  const wrong = wrongProducts(result)
  for (const sentence of wrong) terminal.stderr.write(`wrong: ${sentence}\n`)
  sayJson(terminal, result)
  return wrong.length === 0 ? 0 : 1
}
