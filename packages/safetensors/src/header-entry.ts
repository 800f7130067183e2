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

/** Names the entry in a message; made only when there is one, as a header may have 100,000 entries. */
type Subject = () => string

/** Checks an entry by itself; `dataStart` is where the data section begins in the file. */
export function parseEntry(
  name: string,
  value: JsonValue,
  dataStart: number,
  path: string,
): TensorEntry {
  const subject = (): string => `tensor ${quote(name)} of ${quote(path)}`
  const fields = fieldsOf(value, subject)
  const dtype = parseDType(fields.get('dtype'), subject)
  const shape = parseWholeNumbers(fields.get('shape'), 'shape', subject)
  const offsets = parseWholeNumbers(fields.get('data_offsets'), 'data_offsets', subject)
  const byteLength = tensorByteLength(dtype, shape)
  if (byteLength === undefined) {
    throw refuse(`${subject()}: shape`, {
      given: shapeText(shape),
      allowed: `at most ${Number.MAX_SAFE_INTEGER} bytes in all`,
    })
  }
  const [begin = 0, end = 0] = offsets
  if (offsets.length !== 2 || end - begin !== byteLength) {
    throw refuse(`${subject()}: data_offsets`, {
      given: shapeText(offsets),
      allowed: `[begin, begin + ${byteLength}], the bytes of ${dtype} ${shapeText(shape)}`,
    })
  }
  return Object.freeze({ name, dtype, shape, byteLength, fileOffset: dataStart + begin })
}

function fieldsOf(value: JsonValue, subject: Subject): JsonObject {
  const allowed = 'an object of dtype, shape and data_offsets'
  if (!(value instanceof Map)) throw refuse(subject(), { given: kind(value), allowed })
  const fields = value as JsonObject
  const known = ['dtype', 'shape', 'data_offsets'].every((key) => fields.has(key))
  if (known && fields.size === 3) return fields
  const keys = [...fields.keys()].slice(0, 8).map(quote)
  throw refuse(subject(), { given: `the keys ${keys.join(', ') || '(none)'}`, allowed })
}

function parseDType(value: JsonValue | undefined, subject: Subject): SafetensorsDType {
  if (isSafetensorsDType(value)) return value
  if (isSubByteDType(value)) {
    throw refuse(`${subject()}: dtype is smaller than a byte`, {
      given: String(value),
      allowed: SAFETENSORS_DTYPES.join(', '),
      remedy: 'Convert the checkpoint to one of these with the tool that made it.',
    })
  }
  throw refuse(`${subject()}: dtype`, {
    given: typeof value === 'string' ? quote(value) : kind(value),
    allowed: SAFETENSORS_DTYPES.join(', '),
  })
}

function parseWholeNumbers(
  value: JsonValue | undefined,
  field: string,
  subject: Subject,
): readonly number[] {
  if (!Array.isArray(value)) {
    throw refuse(`${subject()}: ${field}`, { given: kind(value), allowed: 'an array of numbers' })
  }
  for (const item of value as readonly JsonValue[]) {
    if (Number.isSafeInteger(item)) continue
    throw refuse(`${subject()}: ${field}`, {
      given: typeof item === 'number' ? String(item) : kind(item),
      allowed: `whole numbers from 0 to ${Number.MAX_SAFE_INTEGER}`,
    })
  }
  return Object.freeze(value as number[])
}

/** What a JSON value is, for a message. */
export function kind(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'an array'
  return value instanceof Map ? 'an object' : `a ${typeof value}`
}
