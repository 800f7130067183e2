/** Whatever is done to a file, it either reads or is refused with a CheckpointError. */

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError } from '@deepgemm/core'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseHeader, parseHeaderLength } from '../src/header-parse.js'
import { Checkpoint, CheckpointWriter, SafetensorsFile, SafetensorsWriter } from '../src/index.js'
import { metadata, pattern, runs, sizeOf, specs, temporaryFolder } from './helpers.js'

type Mutation = (bytes: Uint8Array) => Uint8Array

const TOKENS = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '-',
  '0',
  '9',
  '1e9',
  '.5',
  '\\',
  '\u0000',
  ' ',
  'null',
  '"a":',
  '\u{1f600}',
  '__proto__',
  '__metadata__',
  'F4',
  'F64',
  '9007199254740993',
]

/** Deletes `drop` bytes at a position and puts others there. */
function splice(bytes: Uint8Array, at: number, drop: number, put: Uint8Array): Uint8Array {
  const begin = at % (bytes.byteLength + 1)
  const rest = bytes.subarray(Math.min(bytes.byteLength, begin + drop))
  return Uint8Array.from([...bytes.subarray(0, begin), ...put, ...rest])
}

const position = fc.nat(4096)
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(position, fc.nat(255)).map(
    ([at, value]): Mutation =>
      (bytes) =>
        splice(bytes, at, 1, Uint8Array.of(value)),
  ),
  fc.tuple(position, fc.nat(3), fc.constantFrom(...TOKENS)).map(
    ([at, drop, token]): Mutation =>
      (bytes) =>
        splice(bytes, at, drop, new TextEncoder().encode(token)),
  ),
  fc.tuple(position, fc.nat(64)).map(
    ([at, drop]): Mutation =>
      (bytes) =>
        splice(bytes, at, drop, new Uint8Array(0)),
  ),
  fc.tuple(position, position, fc.nat(64)).map(
    ([from, to, length]): Mutation =>
      (bytes) =>
        splice(bytes, to, 0, bytes.slice(from % bytes.byteLength).slice(0, length)),
  ),
  position.map(
    (at): Mutation =>
      (bytes) =>
        bytes.slice(0, at % bytes.byteLength),
  ),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(
    (length): Mutation =>
      (bytes) => {
        const copy = bytes.slice()
        if (copy.byteLength >= 8) new DataView(copy.buffer).setBigUint64(0, length, true)
        return copy
      },
  ),
)

/** One to three mutations; `keepLength` then makes the prefix agree with the header again. */
const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 })

function mutate(bytes: Uint8Array, steps: readonly Mutation[]): Uint8Array {
  return steps.reduce((before, step) => (before.byteLength === 0 ? before : step(before)), bytes)
}

const SAMPLE = [
  { name: 'model.layers.0.weight', dtype: 'F8_E4M3', shape: [3, 5] },
  { name: 'model.layers.0.weight_scale_inv', dtype: 'F32', shape: [1, 1] },
  { name: 'ünïcode "quoted"', dtype: 'BF16', shape: [2] },
  { name: 'scalar', dtype: 'I64', shape: [] },
  { name: 'empty', dtype: 'F16', shape: [0, 9] },
] as const

let sample: Uint8Array

beforeAll(async () => {
  const path = join(await temporaryFolder(), 'sample.safetensors')
  const writer = await SafetensorsWriter.create(path, SAMPLE, { metadata: { format: 'pt' } })
  for (const [i, spec] of SAMPLE.entries()) await writer.write(spec.name, pattern(sizeOf(spec), i))
  await writer.finish()
  sample = new Uint8Array(await readFile(path))
})

/** What must hold of any header that was accepted: checked without the parser's own arithmetic. */
function checkAccepted(bytes: Uint8Array, tensors: SafetensorsFile['tensors']): void {
  const owners = new Uint8Array(bytes.byteLength)
  for (const { fileOffset, byteLength } of tensors.values()) {
    for (let i = fileOffset; i < fileOffset + byteLength; i++) owners[i] = (owners[i] ?? 0) + 1
  }
  const dataStart = bytes.byteLength - [...tensors.values()].reduce((n, e) => n + e.byteLength, 0)
  expect(owners.subarray(0, dataStart).every((count) => count === 0)).toBe(true)
  expect(owners.subarray(dataStart).every((count) => count === 1)).toBe(true)
}

/** As `SafetensorsFile.open` does, without a file. */
function parseWhole(bytes: Uint8Array): 'read' | 'refused' {
  try {
    const length = parseHeaderLength(bytes, bytes.byteLength, 'x')
    const data = bytes.byteLength - 8 - length
    const { tensors } = parseHeader(bytes.subarray(8, 8 + length), data, 'x')
    checkAccepted(bytes, tensors)
    return 'read'
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error
    return 'refused'
  }
}

describe('a damaged file reads or is refused, never anything else', () => {
  test('with any bytes changed', () => {
    const seen = { read: 0, refused: 0 }
    fc.assert(
      fc.property(mutations, (steps) => {
        seen[parseWhole(mutate(sample, steps))]++
      }),
      runs(5000),
    )
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(0)
  })

  test('with the header changed and its length put right again', () => {
    const seen = { read: 0, refused: 0 }
    const header = (): Uint8Array => {
      const length = Number(new DataView(sample.buffer, sample.byteOffset).getBigUint64(0, true))
      return sample.slice(8, 8 + length)
    }
    fc.assert(
      fc.property(mutations, (steps) => {
        const changed = mutate(header(), steps)
        const prefix = new Uint8Array(8)
        new DataView(prefix.buffer).setBigUint64(0, BigInt(changed.byteLength), true)
        const data = sample.subarray(8 + header().byteLength)
        seen[parseWhole(Uint8Array.from([...prefix, ...changed, ...data]))]++
      }),
      runs(5000),
    )
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(0)
  })

  test('with each byte set to each of a few values', () => {
    for (let at = 0; at < sample.byteLength; at++) {
      for (const value of [0, 0x20, 0x22, 0x2c, 0x30, 0x39, 0x5b, 0x7d, 0x80, 0xff]) {
        const changed = sample.slice()
        changed[at] = value
        parseWhole(changed)
      }
    }
  })

  test('cut off at any length', () => {
    for (let length = 0; length < sample.byteLength; length++) {
      expect(parseWhole(sample.subarray(0, length))).toBe('refused')
    }
    expect(parseWhole(sample)).toBe('read')
  })

  test('made of any tensors, on the disk and read to the end', async () => {
    const folder = await temporaryFolder()
    await fc.assert(
      fc.asyncProperty(specs, metadata, mutations, async (wanted, pairs, steps) => {
        const path = join(folder, 'file.safetensors')
        const writer = await SafetensorsWriter.create(path, wanted, {
          metadata: pairs,
          overwrite: true,
        })
        for (const spec of wanted) await writer.write(spec.name, new Uint8Array(sizeOf(spec)))
        await writer.finish()
        await writeFile(path, mutate(new Uint8Array(await readFile(path)), steps))
        try {
          await using file = await SafetensorsFile.open(path)
          for (const { name, byteLength } of file.tensors.values()) {
            expect((await file.read(name)).byteLength).toBe(byteLength)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(CheckpointError)
        }
      }),
      runs(200),
    )
  })
})

test('a checkpoint with any of its files damaged reads or is refused', async () => {
  const source = await temporaryFolder()
  const writer = await CheckpointWriter.create(source, SAMPLE, { maxShardBytes: 20 })
  for (const spec of SAMPLE) await writer.write(spec.name, new Uint8Array(sizeOf(spec)))
  await writer.finish()
  await writeFile(join(source, 'config.json'), '{"quantization_config":{"quant_method":"fp8"}}')
  const names = await readdir(source)
  const files = new Map<string, Uint8Array>()
  for (const name of names) files.set(name, new Uint8Array(await readFile(join(source, name))))
  const folder = join(await temporaryFolder(), 'copy')
  await mkdir(folder)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), mutations, async (victim, steps) => {
      for (const [name, bytes] of files) {
        await writeFile(join(folder, name), name === victim ? mutate(bytes, steps) : bytes)
      }
      try {
        await using checkpoint = await Checkpoint.open(folder)
        for (const name of checkpoint.names) await checkpoint.read(name)
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError)
      }
    }),
    runs(300),
  )
})
