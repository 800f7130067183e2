import { Checkpoint } from 'deepgemm'
import { type VerifySummary, verifyCheckpoint } from '../checkpoint/verify.js'
import { number, type RawOptions } from '../options.js'
import { formatBytes, formatError, formatShape } from '../output/format.js'
import { startProgress } from '../output/progress.js'
import { printTable } from '../output/table.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** Largest error a layer may have by default; e4m3 with 128x128 scales of normal data has 3.5e-4. */
export const MAX_ERROR = 2e-3

/** `deepgemm verify <a> <b>`: exit code 1 when a layer is too far off, or missing. */
export async function verifyCommand(
  terminal: Terminal,
  folder: string,
  original: string,
  options: RawOptions,
): Promise<number> {
  const maxError = number(options, 'maxError', { fallback: MAX_ERROR, min: 0, max: 2 })
  const summary = await verifyFolders(terminal, folder, original)
  printLayers(terminal, summary)
  printWorstRows(terminal, summary)
  const passed = report(terminal, summary, maxError)
  sayJson(terminal, { passed, maxError, ...summary })
  return passed ? 0 : 1
}

/** Compares two checkpoint folders. */
export async function verifyFolders(
  terminal: Terminal,
  folder: string,
  original: string,
): Promise<VerifySummary> {
  await using a = await Checkpoint.open(folder)
  await using b = await Checkpoint.open(original)
  const progress = startProgress(terminal, `Verifying ${folder}`, b.totalBytes)
  try {
    const summary = await verifyCheckpoint(a, b, terminal.signal, (bytes) =>
      progress.advance(bytes),
    )
    progress.finish(`Verified ${summary.layers.length} tensors of ${folder}`)
    return summary
  } catch (error) {
    progress.fail()
    throw error
  }
}

/** True when nothing is missing and no layer is off by more than `maxError`. */
export function isWithin({ layers, problems }: VerifySummary, maxError: number): boolean {
  return problems.length === 0 && layers.every(({ error }) => error <= maxError)
}

function printLayers(terminal: Terminal, { layers }: VerifySummary): void {
  printTable(
    terminal,
    [
      { name: 'tensor' },
      { name: 'shape' },
      { name: 'format' },
      { name: 'original' },
      { name: 'error', align: 'right' },
      { name: 'worst row', align: 'right' },
      { name: 'its error', align: 'right' },
    ],
    layers.map(({ name, shape, format, original, error, worstRows: [worst] }) => [
      name,
      formatShape(shape),
      format,
      original,
      formatError(error),
      worst?.row ?? '',
      worst === undefined ? '' : formatError(worst.error),
    ]),
  )
}

/** Rows that are listed of the whole checkpoint. */
const MOST_ROWS = 5

/** The worst rows of all layers; a single one far above the others is a channel with outliers. */
function printWorstRows(terminal: Terminal, { layers }: VerifySummary): void {
  const rows = layers.flatMap(({ name, worstRows }) => worstRows.map((row) => ({ name, ...row })))
  if (rows.length === 0) return
  say(terminal, 'Worst rows')
  rows.sort((a, b) => (Number.isNaN(a.error) ? -1 : b.error - a.error))
  printTable(
    terminal,
    [{ name: 'tensor' }, { name: 'row', align: 'right' }, { name: 'error', align: 'right' }],
    rows.slice(0, MOST_ROWS).map(({ name, row, error }) => [name, row, formatError(error)]),
  )
}

/** Says the totals; true when all is well. */
function report(terminal: Terminal, summary: VerifySummary, maxError: number): boolean {
  const { layers, problems, worst, bytes, originalBytes } = summary
  const bad = layers.filter(({ error }) => !(error <= maxError))
  for (const problem of problems) say(terminal, problem)
  for (const { name, error } of bad) {
    say(terminal, `${name} is off by ${formatError(error)}, more than ${formatError(maxError)}`)
  }
  const changed = layers.filter(({ error }) => error !== 0).length
  say(
    terminal,
    `${layers.length} tensors, ${changed} of them changed; ${formatBytes(bytes)} against ${formatBytes(originalBytes)}`,
  )
  if (changed > 0)
    say(terminal, `All FP8 weights together: error ${formatError(summary.totalError)}`)
  if (worst !== undefined)
    say(terminal, `Largest error ${formatError(worst.error)} in ${worst.name}`)
  const passed = isWithin(summary, maxError)
  say(terminal, passed ? 'Passed' : 'Failed')
  return passed
}
