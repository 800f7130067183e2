// The header of a safetensors file: whatever the bytes are, it reads or is refused, and what was read
// is what Node's own JSON parser reads.

import assert from 'node:assert/strict'
/** What the target is made of: built modules of packages/, or in tests their sources. */
export const modules = ['core/dist/index.js', 'safetensors/dist/header-parse.js']

const ONE = ['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ']
const WIDTH = new Map([
  ...ONE.map((name) => [name, 1]),
  ...['U16', 'I16', 'F16', 'BF16'].map((name) => [name, 2]),
  ...['U32', 'I32', 'F32'].map((name) => [name, 4]),
  ...['U64', 'I64', 'F64', 'C64'].map((name) => [name, 8]),
])

/** What must hold of an accepted header, worked out without the parser's own code. */
function check({ tensors, metadata }, header, dataBytes, prefixBytes) {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(header)
  const plain = JSON.parse(text)
  const names = Object.keys(plain).filter((name) => name !== '__metadata__')
  assert.deepEqual([...tensors.keys()].sort(), names.sort())
  const pairs = Object.entries(plain.__metadata__ ?? {})
  assert.equal(metadata.size, pairs.length)
  for (const [key, value] of pairs) assert.equal(metadata.get(key), value)
  const ranges = []
  for (const [name, { dtype, shape, fileOffset, byteLength }] of tensors) {
    const { dtype: wanted, shape: extents, data_offsets: offsets } = plain[name]
    assert.equal(dtype, wanted)
    assert.deepEqual([...shape], extents)
    const bytes = extents.reduce((all, extent) => all * BigInt(extent), 1n)
    assert.equal(BigInt(byteLength), bytes * BigInt(WIDTH.get(dtype)))
    const begin = fileOffset - prefixBytes - header.length
    assert.deepEqual([begin, begin + byteLength], offsets)
    if (byteLength > 0) ranges.push([begin, begin + byteLength])
  }
  ranges.sort(([a], [b]) => a - b)
  let end = 0
  for (const range of ranges) {
    assert.equal(range[0], end)
    end = range[1]
  }
  assert.equal(end, dataBytes)
}

/** @returns the target: the first byte chooses whether a whole file follows, or a header alone. */
export function target({ CheckpointError, PREFIX_BYTES, parseHeader, parseHeaderLength }) {
  const read = (header, dataBytes) =>
    check(parseHeader(header, dataBytes, 'x'), header, dataBytes, PREFIX_BYTES)
  return (input) => {
    if (input.length < 4) return
    const rest = input.subarray(3)
    try {
      if (input[0] % 4 !== 0) return read(rest, input.readUInt16LE(1))
      const length = parseHeaderLength(rest, rest.length, 'x')
      const header = rest.subarray(PREFIX_BYTES, PREFIX_BYTES + length)
      read(header, rest.length - PREFIX_BYTES - length)
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error
      assert.ok(error.message.length < 2000, 'a message that repeats its input')
    }
  }
}
