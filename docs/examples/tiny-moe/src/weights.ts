import { type Checkpoint, coreDType, decodeArray, ShapeError } from 'deepgemm'

/** A weight [rows, columns] in f32. */
export type Matrix = {
  readonly data: Float32Array<ArrayBuffer>
  readonly rows: number
  readonly columns: number
}

const BLOCK = 128

/** The named tensor as f32, row-major. FP8 weights are multiplied by their scales. */
export async function readFloats(
  checkpoint: Checkpoint,
  name: string,
): Promise<Float32Array<ArrayBuffer>> {
  const { dtype } = checkpoint.entry(name)
  const floats = decodeArray(coreDType(dtype) ?? 'u8', await checkpoint.read(name))
  return floats as Float32Array<ArrayBuffer>
}

/** The named weight [rows, columns] in f32, dequantised when it is FP8. */
export async function readMatrix(checkpoint: Checkpoint, name: string): Promise<Matrix> {
  const { shape, dtype } = checkpoint.entry(name)
  const [rows, columns] = requireMatrixShape(name, shape)
  const data = await readFloats(checkpoint, name)
  if (dtype === 'F8_E4M3') {
    scaleBlocks(data, rows, columns, await readFloats(checkpoint, `${name}_scale_inv`))
  }
  return { data, rows, columns }
}

/** The named weights below one another. */
export async function readStacked(
  checkpoint: Checkpoint,
  names: readonly string[],
): Promise<Matrix> {
  const parts: Matrix[] = []
  for (const name of names) parts.push(await readMatrix(checkpoint, name))
  const columns = (parts[0] as Matrix).columns
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const data = new Float32Array(rows * columns)
  let at = 0
  for (const part of parts) {
    data.set(part.data, at)
    at += part.data.length
  }
  return { data, rows, columns }
}

export function requireMatrixShape(name: string, shape: readonly number[]): [number, number] {
  const [rows, columns] = shape
  if (shape.length === 2 && rows !== undefined && columns !== undefined) return [rows, columns]
  throw new ShapeError(`Weight ${name} has the wrong rank`, {
    given: `[${shape.join(', ')}]`,
    allowed: '[out, in]',
  })
}

function scaleBlocks(
  data: Float32Array,
  rows: number,
  columns: number,
  scales: Float32Array,
): void {
  const blocks = Math.ceil(columns / BLOCK)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const scale = scales[Math.floor(r / BLOCK) * blocks + Math.floor(c / BLOCK)] as number
      data[r * columns + c] = (data[r * columns + c] as number) * scale
    }
  }
}
