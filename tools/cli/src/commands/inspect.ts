import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Checkpoint, type CheckpointEntry, OptionError, writeFileAtomic } from 'deepgemm'
import { byCrest, inspectHtml, shareText } from '../inspect/html.js'
import { formatTotals, type InspectedTensor, inspectCheckpoint } from '../inspect/inspect.js'
import { OUTLIER_SIGMAS } from '../inspect/value-stats.js'
import { type RawOptions, text, texts, wholeNumber } from '../options.js'
import { textBar } from '../output/bar.js'
import { formatBytes, formatShape } from '../output/format.js'
import { startProgress } from '../output/progress.js'
import { printTable } from '../output/table.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** `deepgemm inspect <folder>`: exit code 1 when weights hold NaN or scales that lose a block. */
export async function inspectCommand(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<number> {
  const most = wholeNumber(options, 'top', { fallback: 40, min: 1, max: 1e6 })
  const report = options['report'] === undefined ? undefined : text(options, 'report')
  const takes = takenBy(options)
  await using checkpoint = await Checkpoint.open(folder)
  if (report !== undefined) await requireWritableFolder(report)
  const tensors = await inspect(terminal, checkpoint, folder, takes)
  printTotals(terminal, checkpoint, tensors)
  printTensors(terminal, tensors, most)
  const faults = faultsOf(tensors)
  for (const fault of faults) say(terminal, fault)
  if (report !== undefined) {
    await writeFileAtomic(report, inspectHtml(`Checkpoint ${folder}`, tensors), { overwrite: true })
    say(terminal, `Pictures written to ${report}`)
  }
  const { path, quantization, totalBytes } = checkpoint
  sayJson(terminal, { path, quantization, totalBytes, faults, tensors: tensors.map(forJson) })
  return faults.length === 0 ? 0 : 1
}

async function inspect(
  terminal: Terminal,
  checkpoint: Checkpoint,
  folder: string,
  takes: (entry: CheckpointEntry) => boolean,
): Promise<readonly InspectedTensor[]> {
  const progress = startProgress(terminal, `Reading ${folder}`, checkpoint.totalBytes)
  const advance = (bytes: number): void => progress.advance(bytes)
  try {
    const tensors = await inspectCheckpoint(checkpoint, { signal: terminal.signal, advance, takes })
    progress.finish(`Read ${tensors.length} tensors of ${folder}`)
    return tensors
  } catch (error) {
    progress.fail()
    throw error
  }
}

/** Reading may take hours; a page that cannot be written is refused before. @throws {OptionError} */
async function requireWritableFolder(file: string): Promise<void> {
  try {
    await access(dirname(resolve(file)), constants.W_OK)
  } catch (cause) {
    throw new OptionError('The page of --report cannot be written there', {
      given: `${file} (${(cause as NodeJS.ErrnoException).code})`,
      allowed: 'a file in a folder that is there and may be written to',
      cause,
    })
  }
}

/** @throws {OptionError} */
function takenBy(options: RawOptions): (entry: CheckpointEntry) => boolean {
  if (options['headers'] === true) return () => false
  const patterns = texts(options, 'include').map((pattern) => {
    try {
      return new RegExp(pattern)
    } catch {
      throw new OptionError('The option --include is not a regular expression', { given: pattern })
    }
  })
  return ({ name }) => patterns.length === 0 || patterns.some((pattern) => pattern.test(name))
}

function printTotals(
  terminal: Terminal,
  { quantization, shards }: Checkpoint,
  tensors: readonly InspectedTensor[],
): void {
  const { method, format, weightBlockSize, scaleFormat } = quantization ?? {}
  const recipe = [method, format, weightBlockSize?.join('x'), scaleFormat]
    .filter(Boolean)
    .join(', ')
  const files = `${shards.length} file${shards.length === 1 ? '' : 's'}`
  say(terminal, `${files}; quantization_config: ${recipe || 'none'}`)
  for (const { format: name, tensors: count, bytes } of formatTotals(tensors)) {
    say(terminal, `${name}: ${count} tensors, ${formatBytes(bytes)}`)
  }
}

function printTensors(terminal: Terminal, tensors: readonly InspectedTensor[], most: number): void {
  const read = tensors.filter(({ values }) => values !== undefined)
  if (read.length === 0) return
  const shown = [...read].sort(byCrest).slice(0, most)
  const largest = shown[0]?.values?.crest || 1
  const right = { align: 'right' } as const
  printTable(
    terminal,
    [
      { name: 'tensor' },
      { name: 'shape' },
      { name: 'format' },
      { name: 'largest', ...right },
      { name: 'rms', ...right },
      { name: 'ratio', ...right },
      { name: '' },
      { name: `beyond ${OUTLIER_SIGMAS} rms`, ...right },
      { name: 'scales' },
    ],
    shown.map((tensor) => tensorRow(tensor, largest)),
  )
  if (read.length > shown.length) {
    say(terminal, `${read.length - shown.length} more with smaller ratios; --top shows them`)
  }
}

function tensorRow({ name, shape, dtype, recipe, values, scales }: InspectedTensor, most: number) {
  const { amax = 0, rms = 0, crest = 0, outliers = 0 } = values ?? {}
  return [
    name,
    formatShape(shape),
    `${dtype}${recipe === undefined ? '' : ` ${recipe}`}`,
    amax.toPrecision(3),
    rms.toPrecision(3),
    crest.toFixed(1),
    textBar(crest / most, 16),
    shareText(outliers),
    scales === undefined
      ? ''
      : `${scales.min.toPrecision(3)} to ${scales.max.toPrecision(3)} ${scales.dtype}` +
        (scales.powersOfTwo ? ' (powers of 2)' : ''),
  ]
}

function faultsOf(tensors: readonly InspectedTensor[]): string[] {
  return tensors.flatMap(({ name, values, scales }) => [
    ...(values !== undefined && values.nonFinite > 0
      ? [`${name} holds NaN or infinity: ${values.nonFinite} of ${values.count} values`]
      : []),
    ...(scales !== undefined && scales.bad > 0
      ? [`${name} has scales that are zero, negative or not finite: ${scales.bad}`]
      : []),
  ])
}

/** Without the blocks, which are for pictures. */
function forJson({ values, ...tensor }: InspectedTensor): unknown {
  if (values === undefined) return tensor
  const { blocks: _, ...numbers } = values
  return { ...tensor, values: numbers }
}
