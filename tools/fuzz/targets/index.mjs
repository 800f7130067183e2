// The index of a sharded checkpoint and its config: they read or are refused, what was read is what
// Node's own JSON parser reads, and no shard's name leads anywhere.

import assert from 'node:assert/strict'
import { basename, join, normalize } from 'node:path'

/** What the target is made of: built modules of packages/, or in tests their sources. */
export const modules = [
  'core/dist/index.js',
  'safetensors/dist/index-file.js',
  'safetensors/dist/quantization.js',
  'safetensors/dist/text.js',
]

/** As the checkpoint reads a config.json. */
const CONFIG = { maxDepth: 32, maxKeys: 100_000, maxContainers: 100_000, maxItems: 100_000 }

function checkConfig(text, { parseObject, parseQuantization }) {
  const read = parseQuantization(parseObject(text, CONFIG, 'x'), 'x')
  const given = JSON.parse(text).quantization_config ?? undefined
  assert.equal(read?.method, given?.quant_method)
  assert.deepEqual([...(read?.modulesToNotConvert ?? [])], given?.modules_to_not_convert ?? [])
}

function checkIndex(text, { parseIndex }) {
  const map = parseIndex(text, 'x')
  const { weight_map: wanted } = JSON.parse(text)
  assert.equal(map.size, Object.keys(wanted).length)
  for (const [name, shard] of map) {
    assert.ok(Object.hasOwn(wanted, name))
    assert.equal(shard, wanted[name])
  }
  for (const shard of map.values()) {
    assert.equal(basename(shard), shard)
    assert.equal(normalize(join('/folder', shard)), `/folder/${shard}`)
    assert.ok(shard.endsWith('.safetensors'))
  }
}

/** @returns the target: the first byte chooses between an index and a config. */
export function target(parts) {
  return (input) => {
    if (input.length === 0) return
    const text = parts.decodeUtf8(input.subarray(1))
    if (text === undefined) return
    try {
      if (input[0] % 2 === 0) checkIndex(text, parts)
      else checkConfig(text, parts)
    } catch (error) {
      if (!(error instanceof parts.CheckpointError)) throw error
      assert.ok(error.message.length < 2000, 'a message that repeats its input')
    }
  }
}
