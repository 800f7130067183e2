/** Dtypes of outputs that can be poisoned. */
export type PoisonDType = 'f32' | 'bf16'

/**
 * Quiet NaNs with a payload that arithmetic does not make: hardware gives 0x7fc00000, 0xffc00000,
 * 0x7fffffff, or the payload of an operand.
 */
const SIGNATURES: Readonly<Record<PoisonDType, number>> = { f32: 0x7fd5_a5d5, bf16: 0x7fd5 }

/** Bytes of an output of `count` elements before a run: what is still there after it was not written. */
export function poisonBytes(dtype: PoisonDType, count: number): Uint8Array<ArrayBuffer> {
  const cells = dtype === 'f32' ? new Uint32Array(count) : new Uint16Array(count)
  return new Uint8Array(cells.fill(SIGNATURES[dtype]).buffer)
}

/** Rows of an output that a check looks at. */
export type PoisonedOutput = {
  readonly dtype: PoisonDType
  readonly cols: number
  /** Default: all rows. */
  readonly rows?: (row: number) => boolean
}

/** Throws unless every element of the chosen rows was written. */
export function expectAllWritten(bytes: Uint8Array, output: PoisonedOutput): void {
  refuse(bytes, output, (poisoned) => poisoned, 'was never written')
}

/** Throws unless every element of the chosen rows still has its poison. */
export function expectUntouched(bytes: Uint8Array, output: PoisonedOutput): void {
  refuse(bytes, output, (poisoned) => !poisoned, 'was written but must be left untouched')
}

function refuse(
  bytes: Uint8Array,
  { dtype, cols, rows = () => true }: PoisonedOutput,
  isBad: (poisoned: boolean) => boolean,
  complaint: string,
): void {
  const width = dtype === 'f32' ? 4 : 2
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let [bad, first] = [0, -1]
  for (let i = 0; i < bytes.byteLength / width; i++) {
    const cell = dtype === 'f32' ? view.getUint32(i * 4, true) : view.getUint16(i * 2, true)
    if (!rows(Math.floor(i / cols)) || !isBad(cell === SIGNATURES[dtype])) continue
    if (bad++ === 0) first = i
  }
  if (bad === 0) return
  const [row, col] = [Math.floor(first / cols), first % cols]
  const others = bad === 1 ? '' : ` (and ${bad - 1} more)`
  throw new Error(`element at row ${row}, column ${col}${others} ${complaint}`)
}
