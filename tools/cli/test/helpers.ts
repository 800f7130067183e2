import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { run } from '@deepgemm/cli'
import { createRandom, normalArray } from '@deepgemm/testing'
import { CheckpointWriter, encodeArray } from 'deepgemm'
import pc from 'picocolors'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** The compiled command. */
export const MAIN: string = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** The example model of the repository. */
export const MODEL: string = join(root, 'docs/examples/tiny-moe/model')

/** Compiles what the spawned command runs; a moment when nothing has changed. */
export function buildCli(): void {
  const tsc = join(root, 'node_modules/.bin/tsc')
  execFileSync(tsc, ['-b', join(root, 'tools/cli')], { stdio: 'pipe' })
}

export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Collects what is written to it. */
class Sink extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

export type TerminalOptions = {
  /** As when a person watches: tables are drawn, progress bars move. */
  readonly interactive?: boolean
  readonly signal?: AbortSignal
}

/** Runs the command line within this process, with its output collected. */
export async function deepgemm(
  args: readonly string[],
  { interactive = false, signal = new AbortController().signal }: TerminalOptions = {},
): Promise<Outcome> {
  const [stdout, stderr] = [new Sink(), new Sink()]
  if (interactive) Object.assign(stdout, { isTTY: true })
  const colors = pc.createColors(false)
  const code = await run(args, '1.2.3', (json) => {
    return { stdout, stderr, interactive, json, colors, signal }
  })
  return { code, stdout: stdout.text, stderr: stderr.text }
}

/** Runs the command as a user does: a process of its own, with its output piped. */
export function spawnDeepgemm(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const options = { env: { ...process.env, ...env }, maxBuffer: 1 << 26 }
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
    })
  })
}

export type ScratchFolder = Disposable & {
  readonly path: string
  in(name: string): string
  list(): string[]
}

/** A folder that is removed when the test ends. */
export function scratchFolder(): ScratchFolder {
  const path = mkdtempSync(join(tmpdir(), 'deepgemm-cli-'))
  return {
    path,
    in: (name) => join(path, name),
    list: () => readdirSync(path),
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
