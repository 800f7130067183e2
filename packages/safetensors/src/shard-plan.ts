import type { SizedSpec } from './specs.js'

/** File names by the convention of Hugging Face checkpoints. */
export const SINGLE_NAME = 'model.safetensors'
export const INDEX_NAME = 'model.safetensors.index.json'
export const SHARD_NAME: RegExp = /^model-\d{5,}-of-\d{5,}\.safetensors$/

/** Size of a shard unless said otherwise, in bytes of tensor data. */
export const DEFAULT_SHARD_BYTES = 5_000_000_000

/** One file of a checkpoint to be written. */
export type PlannedShard = { readonly name: string; readonly specs: readonly SizedSpec[] }

/**
 * Divides tensors among files, in order, each as full as `maxBytes` of data lets it be. A tensor larger
 * than that has a file of its own. Pure.
 */
export function planShards(specs: readonly SizedSpec[], maxBytes: number): readonly PlannedShard[] {
  const groups: SizedSpec[][] = []
  let room = 0
  for (const spec of specs) {
    const last = groups.at(-1)
    if (last !== undefined && spec.byteLength <= room) last.push(spec)
    else {
      groups.push([spec])
      room = maxBytes
    }
    room -= spec.byteLength
  }
  if (groups.length <= 1) return [{ name: SINGLE_NAME, specs: groups[0] ?? [] }]
  const five = (n: number): string => String(n).padStart(5, '0')
  return groups.map((group, i) => ({
    name: `model-${five(i + 1)}-of-${five(groups.length)}.safetensors`,
    specs: group,
  }))
}

/** The text of the index file that says which tensor is in which shard. */
export function indexText(shards: readonly PlannedShard[]): string {
  let totalSize = 0
  const lines: string[] = []
  // Written pair by pair: collecting them in an object would lose a tensor named `__proto__`.
  for (const { name: shard, specs } of shards) {
    for (const { name, byteLength } of specs) {
      totalSize += byteLength
      lines.push(`    ${JSON.stringify(name)}: ${JSON.stringify(shard)}`)
    }
  }
  return `{\n  "metadata": { "total_size": ${totalSize} },\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`
}
