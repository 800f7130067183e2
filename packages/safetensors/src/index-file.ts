import { refuse, requireCount } from './errors.js'
import { type JsonLimits, type JsonObject, JsonProblem, parseJson } from './json.js'
import { MAX_SHARDS, MAX_TENSORS } from './limits.js'
import { quote } from './text.js'

/** Room for the metadata that tools add besides the map itself. */
const JSON_LIMITS: JsonLimits = {
  maxDepth: 8,
  maxKeys: MAX_TENSORS + 4096,
  maxContainers: 4096,
  maxItems: 4096,
}

const MAX_NAME_BYTES = 255

/**
 * Reads an index file: which tensor is in which shard. Pure.
 *
 * A shard is named by a plain file name. Anything that could lead elsewhere is refused.
 */
export function parseIndex(text: string, path: string): ReadonlyMap<string, string> {
  const root = parseObject(text, JSON_LIMITS, path)
  const map = root.get('weight_map')
  if (!(map instanceof Map)) {
    throw refuse(`${quote(path)} is not a checkpoint index`, {
      given: 'no object weight_map',
      allowed: 'a weight_map from tensor names to shard names',
    })
  }
  const shards = new Set<string>()
  for (const [tensor, shard] of map as JsonObject) {
    if (typeof shard !== 'string' || !isPlainName(shard)) {
      throw refuse(`${quote(path)} names an unsafe shard for ${quote(tensor)}`, {
        given: typeof shard === 'string' ? quote(shard) : `a value that is not text`,
        allowed: 'the plain name of a .safetensors file in the same folder',
        remedy: 'Do not trust this checkpoint; if you made it, put all shards beside the index.',
      })
    }
    shards.add(shard)
  }
  requireCount(path, 'tensors', map.size, MAX_TENSORS)
  requireCount(path, 'shards', shards.size, MAX_SHARDS)
  return map as ReadonlyMap<string, string>
}

/** Parses untrusted JSON that must be an object. */
export function parseObject(text: string, limits: JsonLimits, path: string): JsonObject {
  let given: string
  let cause: unknown
  try {
    const value = parseJson(text, limits)
    if (value instanceof Map) return value as JsonObject
    given = 'JSON that is not an object'
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error
    given = `text in which ${error.message}, at character ${error.offset}`
    cause = error
  }
  throw refuse(`${quote(path)} is not valid`, {
    given,
    allowed: 'one JSON object without duplicate keys',
    ...(cause === undefined ? {} : { cause }),
  })
}

function isPlainName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
  const unsafe = /[\u0000-\u001f/\\:]/
  const fits = new TextEncoder().encode(name).byteLength <= MAX_NAME_BYTES
  return fits && !unsafe.test(name) && /^[^.].*\.safetensors$/.test(name)
}
