import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Engine, Fp8Engine, Model, ReferenceEngine, Tokenizer } from '@deepgemm/tiny-moe'
import { Checkpoint, CheckpointError } from 'deepgemm'
import { openDevice } from './device.js'
import type { RawOptions } from './options.js'

/** A model with its tokenizer, ready to run. */
export type OpenedModel = AsyncDisposable & {
  readonly model: Model
  readonly tokenizer: Tokenizer
  readonly engine: Engine
}

/** Loads a model folder onto an engine. @throws {CheckpointError} */
export async function openModel(
  folder: string,
  kind: 'fp8' | 'reference',
  options: RawOptions,
): Promise<OpenedModel> {
  await using checkpoint = await Checkpoint.open(folder)
  const tokenizer = await readTokenizer(folder)
  const engine =
    kind === 'fp8'
      ? new Fp8Engine(await openDevice(options), checkpoint)
      : new ReferenceEngine(checkpoint)
  const model = await Model.load(checkpoint, engine)
  return {
    model,
    tokenizer,
    engine,
    async [Symbol.asyncDispose]() {
      model.dispose()
      await engine[Symbol.asyncDispose]()
    },
  }
}

async function readTokenizer(folder: string): Promise<Tokenizer> {
  const path = join(folder, 'tokenizer.json')
  try {
    return Tokenizer.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause
    throw new CheckpointError('The model has no tokenizer that can be read', {
      given: path,
      remedy: 'Put the tokenizer.json of the model into its folder.',
      cause,
    })
  }
}
