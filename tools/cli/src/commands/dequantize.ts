import { Checkpoint } from 'deepgemm'
import { dequantizeCheckpoint } from '../checkpoint/dequantize.js'
import { copyCompanions, requireOtherFolder, writeConfig } from '../checkpoint/files.js'
import { choice, type RawOptions, text } from '../options.js'
import { formatBytes } from '../output/format.js'
import { startProgress } from '../output/progress.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** `deepgemm dequantize <folder> -o <folder>` */
export async function dequantizeCommand(
  terminal: Terminal,
  folder: string,
  options: RawOptions,
): Promise<number> {
  const output = text(options, 'output')
  const dtype = choice(options, 'dtype', ['bf16', 'f16', 'f32'], 'bf16')
  await using checkpoint = await Checkpoint.open(folder)
  await requireOtherFolder(checkpoint, output)
  const progress = startProgress(terminal, `Dequantising ${folder}`, checkpoint.totalBytes)
  try {
    const summary = await dequantizeCheckpoint({
      checkpoint,
      output,
      dtype,
      overwrite: options['overwrite'] === true,
      signal: terminal.signal,
      advance: (bytes) => progress.advance(bytes),
      writeCompanions: async () => {
        await copyCompanions(checkpoint.path, output)
        await writeConfig(checkpoint, output, undefined)
      },
    })
    progress.finish(`Dequantised ${folder}`)
    say(terminal, `${summary.dequantized} weights in ${dtype}, ${formatBytes(summary.bytesAfter)}`)
    say(terminal, `Written to ${output}`)
    sayJson(terminal, { output, dtype, ...summary })
    return 0
  } catch (error) {
    progress.fail()
    throw error
  }
}
