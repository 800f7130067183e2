import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CheckpointError } from '@deepgemm/core'
import fc from 'fast-check'
import { afterAll, expect } from 'vitest'
import { SAFETENSORS_DTYPES, type TensorSpec, tensorByteLength } from '../src/index.js'

const made: string[] = []

/** A fresh folder, removed after the test file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'safetensors-test-'))
  made.push(folder)
  return folder
}

afterAll(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** A file built by hand, independent of the writer: `header` as text, then `dataBytes` counted bytes. */
export function rawFile(header: string | Uint8Array, dataBytes = 0, declared?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.byteLength + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, declared ?? BigInt(json.byteLength), true)
  bytes.set(json, 8)
  for (let i = 0; i < dataBytes; i++) bytes[8 + json.byteLength + i] = i % 251
  return bytes
}

export async function written(
  bytes: Uint8Array | string,
  name = 'file.safetensors',
): Promise<string> {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, bytes)
  return path
}

/** Text of one header entry. */
export function entryText(dtype: string, shape: string, offsets: string): string {
  return `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`
}

/** Runs `action` and returns the CheckpointError it must end with. */
export async function refusal(action: () => unknown): Promise<CheckpointError> {
  try {
    await action()
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError)
    const refused = error as CheckpointError
    expect(refused.given).toBeTruthy()
    expect(refused.allowed).toBeTruthy()
    return refused
  }
  throw new Error('nothing was refused')
}

/** Cases per property; FAST_CHECK_RUNS raises it for a long run. */
export function runs(count: number): { numRuns: number } {
  return { numRuns: Number(process.env.FAST_CHECK_RUNS ?? count) }
}

/** Bytes that differ from tensor to tensor and along each. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 101 + (i >> 8)) & 0xff
  return bytes
}

export function sizeOf(spec: TensorSpec): number {
  return tensorByteLength(spec.dtype, spec.shape) as number
}

const shape = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 7 }) },
  ),
  { maxLength: 4 },
)

const name = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 0, maxLength: 12 }),
    fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      'a"b\\c',
      '\u0000',
      'model.layers.0.weight',
    ),
  )
  .filter((text) => text !== '__metadata__' && !/\p{Surrogate}/u.test(text))

/** Any set of tensors a file may hold. */
export const specs: fc.Arbitrary<TensorSpec[]> = fc.uniqueArray(
  fc.record({ name, dtype: fc.constantFrom(...SAFETENSORS_DTYPES), shape }),
  { selector: (spec) => spec.name, maxLength: 8 },
)

/** Any metadata, awkward keys included. */
export const metadata: fc.Arbitrary<Map<string, string>> = fc
  .array(fc.tuple(name, fc.string({ unit: 'grapheme', maxLength: 10 })), { maxLength: 4 })
  .map((pairs) => new Map(pairs))
