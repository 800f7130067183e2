/** One entry of a header. Pure. */

import {
  isSafetensorsDType,
  isSubByteDType,
  SAFETENSORS_DTYPES,
  type SafetensorsDType,
} from './dtypes.js'
import { type TensorEntry, tensorByteLength } from './entry.js'
import { refuse } from './errors.js'
import type { JsonObject, JsonValue } from './json.js'
import { quote, shapeText } from './text.js'

/** Checks an entry by itself; `dataStart` is where the data section begins in the file. */
export function parseEntry(
  name: string,
  value: JsonValue,
  dataStart: number,
  path: string,
): TensorEntry {
  const subject = `tensor ${quote(name)} of ${quote(path)}`
  const fields = value instanceof Map ? (value as JsonObject) : undefined
  if (
    fields?.size !== 3 ||
    !fields.has('dtype') ||
    !fields.has('shape') ||
    !fields.has('data_offsets')
  ) {
    const given =
      fields === undefined
        ? kind(value)
        : `the keys ${[...fields.keys()].slice(0, 8).map(quote).join(', ')}`
    throw refuse(subject, { given, allowed: 'an object of dtype, shape and data_offsets' })
  }
  const dtype = parseDType(subject, fields.get('dtype'))
  const shape = parseExtents(`${subject}: shape`, fields.get('shape'))
  const offsets = parseExtents(`${subject}: data_offsets`, fields.get('data_offsets'))
  const byteLength = tensorByteLength(dtype, shape)
  const [begin, end] = offsets
  if (byteLength === undefined) {
    throw refuse(`${subject}: shape`, {
      given: shapeText(shape),
      allowed: `at most ${Number.MAX_SAFE_INTEGER} bytes in all`,
    })
  }
  if (
    offsets.length !== 2 ||
    begin === undefined ||
    end === undefined ||
    end - begin !== byteLength
  ) {
    throw refuse(`${subject}: data_offsets`, {
      given: shapeText(offsets),
      allowed: `[begin, begin + ${byteLength}], the bytes of ${dtype} ${shapeText(shape)}`,
    })
  }
  return Object.freeze({ name, dtype, shape, byteLength, fileOffset: dataStart + begin })
}

function parseDType(subject: string, value: JsonValue | undefined): SafetensorsDType {
  if (isSafetensorsDType(value)) return value
  if (isSubByteDType(value)) {
    throw refuse(`${subject}: dtype is smaller than a byte`, {
      given: String(value),
      allowed: SAFETENSORS_DTYPES.join(', '),
      remedy: 'Convert the checkpoint to one of these with the tool that made it.',
    })
  }
  throw refuse(`${subject}: dtype`, {
    given: typeof value === 'string' ? quote(value) : kind(value),
    allowed: SAFETENSORS_DTYPES.join(', '),
  })
}

function parseExtents(subject: string, value: JsonValue | undefined): readonly number[] {
  if (!Array.isArray(value)) {
    throw refuse(subject, { given: kind(value), allowed: 'an array of whole numbers' })
  }
  for (const item of value as readonly JsonValue[]) {
    if (typeof item !== 'number' || !Number.isSafeInteger(item)) {
      throw refuse(subject, {
        given: typeof item === 'number' ? String(item) : kind(item),
        allowed: `whole numbers from 0 to ${Number.MAX_SAFE_INTEGER}`,
      })
    }
  }
  return Object.freeze(value as number[])
}

/** What a JSON value is, for a message. */
export function kind(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return value instanceof Map ? 'an object' : `a ${typeof value}`
}
