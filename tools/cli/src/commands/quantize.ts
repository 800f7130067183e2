import { Checkpoint, fp8QuantizationConfig } from 'deepgemm'
import { copyCompanions, requireOtherFolder, writeConfig } from '../checkpoint/files.js'
import { type QuantizeSummary, quantizeCheckpoint } from '../checkpoint/quantize.js'
import { WeightSelection } from '../checkpoint/selection.js'
import { openDevice } from '../device.js'
import { choice, type RawOptions, text, texts, wholeNumber } from '../options.js'
import { formatBytes } from '../output/format.js'
import { startProgress } from '../output/progress.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** `deepgemm quantize <folder> -o <folder>` */
export async function quantizeCommand(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<number> {
  const summary = await quantizeFolder(terminal, folder, options)
  sayJson(terminal, summary)
  return 0
}

/** Quantises a checkpoint folder and says what came of it. */
export async function quantizeFolder(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<QuantizeSummary & { output: string }> {
  const output = text(options, 'output')
  const scaleDType = choice(options, 'scaleDtype', ['f32', 'ue8m0'], 'f32')
  const selection = new WeightSelection(texts(options, 'include'), texts(options, 'exclude'))
  await using device = await openDevice(options)
  await using checkpoint = await Checkpoint.open(folder)
  await requireOtherFolder(checkpoint, output)
  const maxShardBytes = shardBytes(options)
  const progress = startProgress(terminal, `Quantising ${folder}`, checkpoint.totalBytes)
  try {
    const summary = await quantizeCheckpoint({
      device,
      checkpoint,
      output,
      selection,
      scaleDType,
      overwrite: options['overwrite'] === true,
      maxShardBytes,
      signal: terminal.signal,
      advance: (bytes) => progress.advance(bytes),
      writeCompanions: (kept) => writeCompanions(checkpoint, output, scaleDType, kept),
    })
    progress.finish(`Quantised ${folder}`)
    report(terminal, output, summary)
    return { output, ...summary }
  } catch (error) {
    progress.fail()
    throw error
  }
}

async function writeCompanions(
  checkpoint: Checkpoint,
  output: string,
  scaleDType: string,
  kept: readonly string[],
): Promise<void> {
  await copyCompanions(checkpoint.path, output)
  const modules = kept
    .filter((name) => name.endsWith('.weight') && checkpoint.entry(name).shape.length > 1)
    .map((name) => name.slice(0, -'.weight'.length))
  const config = fp8QuantizationConfig({
    powerOfTwoScales: scaleDType === 'ue8m0',
    modulesToNotConvert: modules,
  })
  await writeConfig(checkpoint, output, config)
}

function report(terminal: Terminal, output: string, summary: QuantizeSummary): void {
  const { quantized, kept, bytesBefore, bytesAfter } = summary
  const saved = (100 * (1 - bytesAfter / Math.max(bytesBefore, 1))).toFixed(1)
  say(terminal, `${quantized} weights in e4m3 with 128x128 scales, ${kept.length} tensors kept`)
  say(terminal, `${formatBytes(bytesBefore)} became ${formatBytes(bytesAfter)}: ${saved} % saved`)
  say(terminal, `Written to ${output}`)
}

function shardBytes(options: RawOptions): number | undefined {
  if (options['maxShardMb'] === undefined) return undefined
  return 1e6 * wholeNumber(options, 'maxShardMb', { min: 1, max: 1e6 })
}
