import {
  type Checkpoint,
  type CheckpointEntry,
  CheckpointError,
  coreDType,
  type DType,
  decodeArray,
} from 'deepgemm'
import { matrixShape, type RowPiece, readPiece } from './rows.js'

const BLOCK = 128

/** Reads pieces of a weight as f32, FP8 weights times their scales. */
export class FloatReader {
  readonly entry: CheckpointEntry
  readonly #checkpoint: Checkpoint
  readonly #scales: Float32Array | undefined

  private constructor(checkpoint: Checkpoint, entry: CheckpointEntry, scales?: Float32Array) {
    this.#checkpoint = checkpoint
    this.entry = entry
    this.#scales = scales
  }

  /** @throws {CheckpointError} when the tensor does not hold numbers that can be compared. */
  static async open(checkpoint: Checkpoint, name: string): Promise<FloatReader> {
    const entry = checkpoint.entry(name)
    if (entry.dtype !== 'F8_E4M3') return new FloatReader(checkpoint, entry)
    const scale = checkpoint.entry(`${name}_scale_inv`)
    const bytes = await checkpoint.read(scale.name)
    return new FloatReader(checkpoint, entry, decodeArray(requireCoreDType(scale), bytes))
  }

  /** The scales of an FP8 weight, row-major. */
  get scales(): Float32Array | undefined {
    return this.#scales
  }

  /** `e4m3 128x128` for FP8 weights, else the dtype. */
  get format(): string {
    const dtype = requireCoreDType(this.entry)
    return this.#scales === undefined ? dtype : `${dtype} 128x128`
  }

  async read(piece: RowPiece): Promise<Float32Array> {
    const bytes = await readPiece(this.#checkpoint, this.entry, piece)
    const values = decodeArray(requireCoreDType(this.entry), bytes)
    if (this.#scales !== undefined) this.#multiply(values, piece, this.#scales)
    return values
  }

  #multiply(values: Float32Array, piece: RowPiece, scales: Float32Array): void {
    const blockColumns = Math.ceil(piece.columns / BLOCK)
    const blockRows = Math.ceil(matrixShape(this.entry.shape).rows / BLOCK)
    for (let r = 0; r < piece.rows; r++) {
      const blockRow = piece.group * blockRows + Math.floor((piece.row + r) / BLOCK)
      for (let c = 0; c < piece.columns; c++) {
        const at = r * piece.columns + c
        const scale = scales[blockRow * blockColumns + Math.floor(c / BLOCK)] as number
        values[at] = (values[at] as number) * scale
      }
    }
  }
}

function requireCoreDType({ name, dtype }: CheckpointEntry): DType {
  const core = coreDType(dtype)
  if (core !== undefined && core !== 'i64' && core !== 'u64') return core
  throw new CheckpointError(`Tensor ${name} cannot be read as numbers`, {
    given: dtype,
    allowed: 'floats, and integers of at most 32 bits',
  })
}
