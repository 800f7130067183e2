import { type GemmForm, QuantizedTensor, type ScaleOrientation } from '@deepgemm/core'
import { fp8GemmNN, fp8GemmNT, fp8GemmTN, fp8GemmTT } from '@deepgemm/dense'
import type { Device } from '@deepgemm/runtime'
import {
  type HostQuantized,
  operandOf,
  type Reference,
  referenceGemm,
  transposed,
  upload,
} from '@deepgemm/testing'
import type { StartedOutput } from './output.js'

export const FORMS: readonly GemmForm[] = ['NT', 'NN', 'TN', 'TT']

export const GEMMS: Readonly<Record<GemmForm, typeof fp8GemmNN>> = {
  NT: fp8GemmNT,
  NN: fp8GemmNN,
  TN: fp8GemmTN,
  TT: fp8GemmTT,
}

/** How operands lie in memory. */
export type Placement = {
  readonly orientations: readonly [ScaleOrientation, ScaleOrientation]
  /** Bytes between the rows of the values of A and B. */
  readonly gaps: readonly [number, number]
}

export const PLAIN: Placement = { orientations: ['mn-major', 'k-major'], gaps: [0, 0] }

/** NT operands [M, K] and [N, K], of one product or of a batch. */
export type HostOperands = {
  readonly a: HostQuantized | readonly HostQuantized[]
  readonly b: HostQuantized | readonly HostQuantized[]
}

/** The operands on the device, stored as `form` takes them. */
export function place(
  device: Device,
  { a, b }: HostOperands,
  form: GemmForm,
  { orientations, gaps }: Placement = PLAIN,
): { a: QuantizedTensor; b: QuantizedTensor } {
  const storedA = form[0] === 'T' ? map(a, transposed) : a
  const storedB = form[1] === 'N' ? map(b, transposed) : b
  return {
    a: withGaps(device, upload(device, storedA, orientations[0]), storedA, gaps[0]),
    b: withGaps(device, upload(device, storedB, orientations[1]), storedB, gaps[1]),
  }
}

/** What the product of every pair must be, as that kind of device adds up. */
export function expectedProducts(
  { a, b }: HostOperands,
  start: StartedOutput['start'],
  kind = 'cpu',
): Reference[] {
  const [as, bs] = [list(a), list(b)]
  return as.map((matrix, group) => {
    const c = start?.[group]
    const operands = { a: operandOf(matrix), b: operandOf(bs[group] as HostQuantized) }
    const input = { ...operands, ...accumulationOf(kind) }
    return referenceGemm(c === undefined ? input : { ...input, c })
  })
}

/**
 * How exactly a device adds within a block of K. Hopper's tensor cores align the addends of one
 * instruction to the largest of them and keep 13 bits of each behind the point.
 */
export function accumulationOf(kind: string): { readonly blockRoundoff?: number } {
  return kind === 'cuda' ? { blockRoundoff: 2 ** -13 } : {}
}

/** The same codes in rows that are further apart, with NaN between them. */
function withGaps(
  device: Device,
  dense: QuantizedTensor,
  source: HostQuantized | readonly HostQuantized[],
  gap: number,
): QuantizedTensor {
  const { shape } = dense
  const cols = shape.at(-1) as number
  if (gap === 0 || cols === 0) return dense
  const codes = Buffer.concat(list(source).map((matrix) => matrix.codes))
  const rows = codes.length / cols
  const wide = new Uint8Array(rows * (cols + gap)).fill(0x7f)
  for (let row = 0; row < rows; row++) {
    wide.set(codes.subarray(row * cols, (row + 1) * cols), row * (cols + gap))
  }
  const values = device.tensor(wide, { dtype: 'e4m3', shape: [...shape.slice(0, -1), cols + gap] })
  dense.values.dispose()
  return new QuantizedTensor(values.slice(shape.length - 1, 0, cols), dense.scales)
}

function list(source: HostQuantized | readonly HostQuantized[]): readonly HostQuantized[] {
  return 'codes' in source ? [source] : source
}

function map(
  source: HostQuantized | readonly HostQuantized[],
  change: (matrix: HostQuantized) => HostQuantized,
): HostQuantized | readonly HostQuantized[] {
  return 'codes' in source ? change(source) : source.map(change)
}
