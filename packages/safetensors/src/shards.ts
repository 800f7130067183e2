import type { TensorEntry } from './entry.js'
import { refuse, requireCount } from './errors.js'
import { SafetensorsFile } from './file.js'
import type { InputFolder } from './input-folder.js'
import { MAX_TENSORS } from './limits.js'
import { parallelMap } from './parallel.js'
import { quote } from './text.js'

/** A tensor of a checkpoint. */
export type CheckpointEntry = TensorEntry & {
  /** Name of the file it is in. */
  readonly shard: string
}

/** One file of a checkpoint. */
export type CheckpointShard = { readonly name: string; readonly file: SafetensorsFile }

const SHARDS_AT_ONCE = 8

/** Opens every file of a checkpoint, or none. */
export async function openShards(
  folder: InputFolder,
  names: readonly string[],
): Promise<readonly CheckpointShard[]> {
  const missing = names.filter((name) => !folder.has(name))
  if (missing.length > 0) {
    throw refuse(`${quote(folder.path)} is not complete`, {
      given: `${missing.length} of ${names.length} shards missing, the first ${quote(missing[0] ?? '')}`,
      allowed: 'every shard that the index names',
      remedy: 'Fetch the missing files into the folder.',
    })
  }
  let total = 0
  const results = await parallelMap(names, SHARDS_AT_ONCE, async (name) => {
    // Checked as headers come, so that many hostile shards cannot add up.
    requireCount(folder.path, 'tensors', total, MAX_TENSORS)
    const file = await SafetensorsFile.open(await folder.resolve(name))
    total += file.tensors.size
    return { name, file }
  })
  const failed = results.find((result) => result.status === 'rejected')
  const shards = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []))
  if (failed === undefined) return shards
  await Promise.all(shards.map(({ file }) => file.close()))
  throw failed.reason
}

/** Index and shards must agree both ways: a tensor in one only means that the files do not belong together. */
export function checkIndex(
  index: ReadonlyMap<string, string>,
  shards: readonly CheckpointShard[],
  path: string,
): void {
  const remedy = 'The files are from different checkpoints: fetch all of them again.'
  const files = new Map(shards.map(({ name, file }) => [name, file]))
  for (const [tensor, shard] of index) {
    if (files.get(shard)?.tensors.has(tensor) === true) continue
    throw refuse(`tensor ${quote(tensor)} of ${quote(path)} is missing`, {
      given: `a shard ${quote(shard)} without it`,
      allowed: 'the tensors that the index says it has',
      remedy,
    })
  }
  for (const { name, file } of shards) {
    for (const tensor of file.tensors.keys()) {
      if (index.get(tensor) === name) continue
      throw refuse(`tensor ${quote(tensor)} of ${quote(path)} is not in the index`, {
        given: `a shard ${quote(name)} that has it`,
        allowed: 'the tensors that the index says it has',
        remedy,
      })
    }
  }
}

/** All tensors of a checkpoint, shard by shard. */
export function gather(
  shards: readonly CheckpointShard[],
  path: string,
): ReadonlyMap<string, CheckpointEntry> {
  const tensors = new Map<string, CheckpointEntry>()
  for (const { name: shard, file } of shards) {
    for (const entry of file.tensors.values()) {
      tensors.set(entry.name, Object.freeze({ ...entry, shard }))
    }
  }
  requireCount(path, 'tensors', tensors.size, MAX_TENSORS)
  return tensors
}
