// Pure: an ONNX model of one product, D [M, N] = A [M, K] · B [K, N], in f32 with B a constant.
// Field numbers are those of onnx.proto.

const FLOAT = 1
const IR_VERSION = 8
const OPSET = 13

/** A field of a protobuf message: a number, a text, or bytes (also those of another message). */
type Field = readonly [number: number, value: number | string | Uint8Array]

export type MatMulModel = { readonly k: number; readonly n: number; readonly weights: Uint8Array }

/** The model's bytes; inputs `a`, outputs `d`. */
export function matMulModel({ k, n, weights }: MatMulModel): Uint8Array {
  const node = message([1, 'a'], [1, 'b'], [2, 'd'], [4, 'MatMul'])
  const constant = message([1, k], [1, n], [2, FLOAT], [8, 'b'], [9, weights])
  const graph = message(
    [1, node],
    [2, 'matmul'],
    [5, constant],
    [11, matrixInfo('a', k)],
    [12, matrixInfo('d', n)],
  )
  return message([1, IR_VERSION], [7, graph], [8, message([1, ''], [2, OPSET])])
}

/** A f32 matrix with any number of rows. */
function matrixInfo(name: string, columns: number): Uint8Array {
  const shape = message([1, message([2, 'm'])], [1, message([1, columns])])
  return message([1, name], [2, message([1, message([1, FLOAT], [2, shape])])])
}

function message(...fields: readonly Field[]): Uint8Array {
  return concat(fields.flatMap(([number, value]) => fieldParts(number, value)))
}

/** A field's key, its length where it has one, and its value; large values are not copied here. */
function fieldParts(number: number, value: Field[1]): Uint8Array[] {
  if (typeof value === 'number') return [varint(number << 3), varint(value)]
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  return [varint((number << 3) | 2), varint(bytes.length), bytes]
}

/** Seven bits a byte, the lowest first; the high bit says that more follow. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.from([...bytes, rest])
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
