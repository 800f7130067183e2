import { dtypeBytes, LayoutError, ShapeError, type Tensor } from '@deepgemm/core'

/** What a kernel's bulk copies see of a tensor's memory. Lists have the innermost dimension first. */
export type TensorMapView = {
  /** How elements are copied and filled; e4m3 is copied as u8. */
  readonly dtype: keyof typeof DATA_TYPES
  /** Elements along each dimension, 2 to 5 of them; outside of them reads give zeros. */
  readonly extents: readonly number[]
  /** Bytes from one row to the next. */
  readonly rowBytes: number
  /** Bytes from one step to the next along the dimensions beyond rows. */
  readonly outerBytes?: readonly number[]
  /** Elements that one copy moves along each dimension; each from 1 to 256. */
  readonly box: readonly number[]
  /** Bytes of the shared-memory swizzle; 0 for none. */
  readonly swizzle: 0 | 32 | 64 | 128
  /** Bytes that the L2 cache fetches at a time; default 256. */
  readonly l2Promotion?: 0 | 64 | 128 | 256
}

/** CUtensorMapDataType */
const DATA_TYPES = { u8: 0, u16: 1, u32: 2, i32: 3, f16: 6, f32: 7, bf16: 9 } as const
/** Their places are the driver's numbers. */
const SWIZZLES: readonly number[] = [0, 32, 64, 128]
const L2_PROMOTIONS: readonly number[] = [0, 64, 128, 256]

const MAX_RANK = 5
const MAX_BOX = 256
const MAX_EXTENT = 2 ** 32
/** What bulk copies need of addresses, strides and rows of a box, in bytes. */
const ALIGNMENT = 16

/**
 * The numbers of a tensor map behind its address: data type, rank, extents, strides in bytes, box,
 * swizzle, L2 promotion.
 *
 * @throws {LayoutError | ShapeError} for what bulk copies cannot do or what is beyond the memory
 */
export function tensorMapNumbers(tensor: Tensor, view: TensorMapView): number[] {
  const { dtype, extents, box, swizzle, l2Promotion = 256 } = view
  const strides = [view.rowBytes, ...(view.outerBytes ?? [])]
  requireBulkLayout(tensor, view, strides)
  requireWithin(tensor, view, strides)
  return [
    DATA_TYPES[dtype],
    extents.length,
    ...extents,
    ...strides,
    ...box,
    SWIZZLES.indexOf(swizzle),
    L2_PROMOTIONS.indexOf(l2Promotion),
  ]
}

function requireBulkLayout(tensor: Tensor, view: TensorMapView, strides: readonly number[]): void {
  const { dtype, extents, box, swizzle, l2Promotion = 256 } = view
  const fault = (given: string, allowed: string): LayoutError =>
    new LayoutError(`Tensor ${tensor.storage.label} cannot be copied in bulk`, { given, allowed })
  const rank = extents.length
  if (!(dtype in DATA_TYPES)) throw fault(`dtype ${dtype}`, Object.keys(DATA_TYPES).join(', '))
  if (rank < 2 || rank > MAX_RANK || !extents.every((x) => isInteger(x, 1, MAX_EXTENT))) {
    throw fault(`extents [${extents.join(', ')}]`, `2 to ${MAX_RANK} extents, none 0`)
  }
  const isAligned = strides.every((x) => isInteger(x, ALIGNMENT, 2 ** 40) && x % ALIGNMENT === 0)
  if (strides.length !== rank - 1 || !isAligned || tensor.byteOffset % ALIGNMENT !== 0) {
    throw fault(
      `strides of [${strides.join(', ')}] bytes, byte offset ${tensor.byteOffset}`,
      `${rank - 1} strides and an offset that are multiples of ${ALIGNMENT} bytes`,
    )
  }
  const row = (box[0] ?? 0) * dtypeBytes(dtype)
  const isBox = box.length === rank && box.every((x) => isInteger(x, 1, MAX_BOX))
  if (!isBox || row % ALIGNMENT !== 0) {
    throw fault(
      `box [${box.join(', ')}] of ${dtype}`,
      `${rank} extents from 1 to ${MAX_BOX}, rows a multiple of ${ALIGNMENT} bytes`,
    )
  }
  const isKnown = SWIZZLES.includes(swizzle) && L2_PROMOTIONS.includes(l2Promotion)
  if (!isKnown || (swizzle !== 0 && row > swizzle)) {
    throw fault(
      `swizzle ${swizzle} for rows of ${row} bytes, L2 promotion ${l2Promotion}`,
      'swizzle 0, 32, 64 or 128, at least as wide as a row; promotion 0, 64, 128 or 256',
    )
  }
}

function requireWithin(tensor: Tensor, view: TensorMapView, strides: readonly number[]): void {
  const { extents, dtype } = view
  const row = (extents[0] as number) * dtypeBytes(dtype)
  const last = strides.reduce((sum, x, i) => sum + ((extents[i + 1] as number) - 1) * x, 0)
  const end = tensor.byteOffset + last + row
  if (end <= tensor.storage.byteLength) return
  throw new ShapeError(`Tensor ${tensor.storage.label} is shorter than its tensor map`, {
    given: `extents [${extents.join(', ')}] of ${dtype} ending at byte ${end}`,
    allowed: `${tensor.storage.byteLength} bytes`,
  })
}

function isInteger(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
