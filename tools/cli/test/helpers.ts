import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRandom, normalArray } from '@deepgemm/testing'
import { CheckpointWriter, encodeArray } from 'deepgemm'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** The example model of the repository. */
export const MODEL: string = join(root, 'docs/examples/tiny-moe/model')

/** Compiles what the spawned command runs; a moment when nothing has changed. */
export function buildCli(): void {
  const tsc = join(root, 'node_modules/.bin/tsc')
  execFileSync(tsc, ['-b', join(root, 'tools/cli')], { stdio: 'pipe' })
}

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs the command as a user does, with its output piped. */
export function deepgemm(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 26 }
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

/** A folder that is removed when the test ends. */
export function scratchFolder(): Disposable & { readonly path: string; in(name: string): string } {
  const path = mkdtempSync(join(tmpdir(), 'deepgemm-cli-'))
  return {
    path,
    in: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

type Weights = Readonly<Record<string, readonly number[]>>

/** Weights with a tail in both directions, a stack, and tensors that are kept. */
const WEIGHTS: Weights = {
  'model.embed_tokens.weight': [64, 128],
  'model.layers.0.mlp.down_proj.weight': [200, 300],
  'model.layers.0.mlp.experts.weight': [3, 130, 128],
  'model.layers.0.mlp.gate.weight': [4, 128],
  'model.norm.weight': [128],
  'lm_head.weight': [64, 128],
}

/** Writes a bf16 checkpoint of normal numbers. */
export async function writeCheckpoint(
  folder: string,
  weights: Weights = WEIGHTS,
  options: { readonly maxShardBytes?: number } = {},
): Promise<void> {
  const specs = Object.entries(weights).map(([name, shape]) => ({
    name,
    shape,
    dtype: 'BF16' as const,
  }))
  const random = createRandom(7)
  await using writer = await CheckpointWriter.create(folder, specs, options)
  for (const { name, shape } of specs) {
    const count = shape.reduce((product, extent) => product * extent, 1)
    await writer.write(name, encodeArray('bf16', normalArray(random, count)))
  }
  await writer.finish()
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'test' }))
  writeFileSync(join(folder, 'tokenizer.json'), '{}')
}

/** Writes a bf16 checkpoint of one weight, as large as need be. */
export async function writeZeros(folder: string, shape: readonly number[]): Promise<void> {
  const spec = { name: 'big.weight', shape, dtype: 'BF16' as const }
  await using writer = await CheckpointWriter.create(folder, [spec])
  await writer.write(spec.name, new Uint8Array(writer.totalBytes))
  await writer.finish()
}
