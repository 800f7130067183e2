import { CheckpointError } from '@deepgemm/core'
import { isSafetensorsDType, SAFETENSORS_DTYPES } from './dtypes.js'
import { type TensorSpec, tensorByteLength } from './entry.js'
import { MAX_RANK, MAX_TENSORS } from './limits.js'
import { quote } from './text.js'

/** String pairs kept in a file's header. */
export type SafetensorsMetadata = ReadonlyMap<string, string> | Readonly<Record<string, string>>

/** A tensor to write, checked, with its size. */
export type SizedSpec = TensorSpec & { readonly byteLength: number }

const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Checks what a caller wants to write by the rules a reader will apply, so that no writer makes a file
 * that no reader takes.
 */
export function checkSpecs(specs: Iterable<TensorSpec>, path: string): SizedSpec[] {
  const seen = new Set<string>()
  const checked: SizedSpec[] = []
  let total = 0
  for (const { name, dtype, shape } of specs) {
    checkName(name, seen, path)
    seen.add(name)
    const subject = `tensor ${quote(name)} of ${quote(path)}`
    if (!isSafetensorsDType(dtype)) {
      throw new CheckpointError(`${subject}: dtype`, {
        given: String(dtype),
        allowed: SAFETENSORS_DTYPES.join(', '),
      })
    }
    checkShape(subject, shape)
    const byteLength = tensorByteLength(dtype, shape) ?? Number.POSITIVE_INFINITY
    total += byteLength
    if (!Number.isSafeInteger(total)) {
      throw new CheckpointError(`${subject} is too large`, {
        given: `shape [${shape.join(', ')}]`,
        allowed: `at most ${Number.MAX_SAFE_INTEGER} bytes with all before it`,
      })
    }
    checked.push({ name, dtype, shape: Object.freeze([...shape]), byteLength })
  }
  return checked
}

function checkName(name: string, seen: ReadonlySet<string>, path: string): void {
  const subject = `cannot write a tensor to ${quote(path)}`
  if (typeof name !== 'string' || name === '__metadata__' || LONE_SURROGATE.test(name)) {
    throw new CheckpointError(subject, {
      given: `the name ${quote(String(name))}`,
      allowed: 'well-formed text other than "__metadata__"',
    })
  }
  if (seen.has(name)) {
    throw new CheckpointError(subject, {
      given: `the name ${quote(name)} twice`,
      allowed: 'each name once',
    })
  }
  if (seen.size === MAX_TENSORS) {
    throw new CheckpointError(subject, {
      given: `more than ${MAX_TENSORS} tensors`,
      allowed: `at most ${MAX_TENSORS}`,
    })
  }
}

function checkShape(subject: string, shape: readonly number[]): void {
  const valid =
    Array.isArray(shape) &&
    shape.length <= MAX_RANK &&
    shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)
  if (!valid) {
    throw new CheckpointError(`${subject}: shape`, {
      given: Array.isArray(shape) ? `[${shape.slice(0, MAX_RANK + 1).join(', ')}]` : String(shape),
      allowed: `at most ${MAX_RANK} whole numbers of at least 0`,
    })
  }
}

/** @throws {CheckpointError} unless every key and value is well-formed text. */
export function metadataPairs(
  metadata: SafetensorsMetadata,
  path: string,
): readonly (readonly [string, string])[] {
  const pairs =
    metadata instanceof Map
      ? [...(metadata as ReadonlyMap<string, string>)]
      : Object.entries(metadata)
  for (const [key, value] of pairs) {
    if ([key, value].some((text) => typeof text !== 'string' || LONE_SURROGATE.test(text))) {
      throw new CheckpointError(`metadata for ${quote(path)}`, {
        given: `${quote(String(key))}: ${quote(String(value))}`,
        allowed: 'pairs of well-formed text',
      })
    }
  }
  return pairs
}
