import {
  type Checkpoint,
  type Device,
  type HostArray,
  QuantizedTensor,
  quantize,
  Scales,
} from 'deepgemm'
import { readStacked, requireMatrixShape } from './weights.js'

const BLOCK = 128

/**
 * The named weights [out, in] below one another, in FP8 with 128x128 scales. FP8 weights of the
 * checkpoint are taken as they are; others are quantised now.
 */
export async function readFp8(
  device: Device,
  checkpoint: Checkpoint,
  names: readonly string[],
): Promise<QuantizedTensor> {
  if (names.every((name) => canStack(checkpoint, name))) return stackFp8(device, checkpoint, names)
  const { data, rows, columns } = await readStacked(checkpoint, names)
  return quantize(device, { data, shape: [rows, columns] }, '128x128', { label: names[0] ?? '' })
}

/** Scale blocks of stacked weights stay whole only when every weight fills its last block row. */
function canStack(checkpoint: Checkpoint, name: string): boolean {
  const { dtype, shape } = checkpoint.entry(name)
  return dtype === 'F8_E4M3' && (shape[0] as number) % BLOCK === 0
}

async function stackFp8(
  device: Device,
  checkpoint: Checkpoint,
  names: readonly string[],
): Promise<QuantizedTensor> {
  const values = await stack(checkpoint, names)
  const scales = await stack(
    checkpoint,
    names.map((name) => `${name}_scale_inv`),
  )
  const label = names[0] ?? ''
  return new QuantizedTensor(
    device.tensor(values.bytes, { dtype: 'e4m3', shape: values.shape, label }),
    new Scales(
      device.tensor(new Float32Array(scales.bytes.buffer), {
        dtype: 'f32',
        shape: scales.shape,
        label: `${label} scales`,
      }),
      { recipe: '128x128', orientation: 'k-major' },
    ),
  )
}

type Stacked = { readonly bytes: HostArray & Uint8Array<ArrayBuffer>; readonly shape: number[] }

async function stack(checkpoint: Checkpoint, names: readonly string[]): Promise<Stacked> {
  const shapes = names.map((name) => requireMatrixShape(name, checkpoint.entry(name).shape))
  const total = names.reduce((sum, name) => sum + checkpoint.entry(name).byteLength, 0)
  const bytes = new Uint8Array(total)
  let at = 0
  for (const name of names) {
    const part = await checkpoint.read(name)
    bytes.set(part, at)
    at += part.byteLength
  }
  const rows = shapes.reduce((sum, [count]) => sum + count, 0)
  return { bytes, shape: [rows, (shapes[0] as [number, number])[1]] }
}
