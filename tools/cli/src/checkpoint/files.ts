import { copyFile, readdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Checkpoint, OptionError, writeFileAtomic } from 'deepgemm'

const WEIGHT_FILE = /\.safetensors(\.index\.json)?$/

/**
 * Also through links: writing into the folder that is read would destroy it.
 *
 * @throws {OptionError} when the output folder is the checkpoint's own folder.
 */
export async function requireOtherFolder({ path }: Checkpoint, output: string): Promise<void> {
  // An output that does not exist yet cannot be the input.
  const real = await realpath(output).catch(() => resolve(output))
  if ((await realpath(path)) !== real) return
  throw new OptionError('The output folder is the input folder', {
    given: output,
    remedy: 'Name another folder with --output.',
  })
}

/** Copies tokenizers and other companions of the weights; config.json is written by itself. */
export async function copyCompanions(input: string, output: string): Promise<void> {
  for (const file of await readdir(input, { withFileTypes: true })) {
    if (!file.isFile() || WEIGHT_FILE.test(file.name) || file.name === 'config.json') continue
    await copyFile(join(input, file.name), join(output, file.name))
  }
}

/** Writes config.json with `quantization` as its quantization_config, or without one. */
export async function writeConfig(
  checkpoint: Checkpoint,
  output: string,
  quantization: Record<string, unknown> | undefined,
): Promise<void> {
  const { quantization_config: _, ...rest } = checkpoint.config ?? {}
  const config = quantization === undefined ? rest : { ...rest, quantization_config: quantization }
  const text = `${JSON.stringify(config, null, 2)}\n`
  await writeFileAtomic(join(output, 'config.json'), text, { overwrite: true })
}
