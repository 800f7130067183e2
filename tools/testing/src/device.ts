import {
  type DType,
  defaultOrientation,
  QuantizedTensor,
  type ScaleOrientation,
  Scales,
  scaleGrid,
  scaleShape,
  type Tensor,
} from '@deepgemm/core'
import { gridFromBytes, type HostQuantized, scaleBytes } from './quantized.js'

/** What `upload` needs of a device; the runtime's devices have it. */
export interface TensorMaker {
  tensor<D extends DType>(
    data: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
    spec: { readonly dtype: D; readonly shape: readonly number[]; readonly label?: string },
  ): Tensor<D>
}

/**
 * A quantised tensor with exactly these codes and scales; several matrices of one form become a
 * [G, rows, cols] tensor.
 */
export function upload(
  device: TensorMaker,
  source: HostQuantized | readonly HostQuantized[],
  orientation?: ScaleOrientation,
): QuantizedTensor {
  const matrices = 'codes' in source ? [source] : source
  const [first] = matrices
  if (first === undefined) throw new Error('upload needs at least one matrix')
  const { rows, cols, recipe, scaleDType } = first
  const lead = 'codes' in source ? [] : [matrices.length]
  const stored = orientation ?? defaultOrientation(recipe)
  const gridShape = scaleShape(scaleGrid(recipe, rows, cols), stored)
  const scaleData = concat(matrices.map((matrix) => scaleBytes(matrix, stored)))
  const values = device.tensor(concat(matrices.map(({ codes }) => codes)), {
    dtype: 'e4m3',
    shape: [...lead, rows, cols],
  })
  const scales = device.tensor(
    scaleDType === 'f32' ? new Float32Array(scaleData.buffer) : scaleData,
    { dtype: scaleDType, shape: [...lead, ...gridShape] },
  )
  return new QuantizedTensor(values, new Scales(scales, { recipe, orientation: stored }))
}

/** The matrices of a quantised tensor: one of rank 2, or each group of rank 3. */
export async function download(tensor: QuantizedTensor): Promise<HostQuantized[]> {
  const { recipe, dtype, orientation } = tensor.scales
  const [rows, cols] = tensor.shape.slice(-2) as [number, number]
  const groups = tensor.shape.length === 3 ? (tensor.shape[0] as number) : 1
  const codes = await tensor.values.toBytes()
  const stored = await tensor.scales.tensor.toBytes()
  const scaleStep = groups === 0 ? 0 : stored.length / groups
  return Array.from({ length: groups }, (_, group) => ({
    rows,
    cols,
    recipe,
    scaleDType: dtype,
    codes: codes.slice(group * rows * cols, (group + 1) * rows * cols),
    grid: gridFromBytes(
      stored.subarray(group * scaleStep, (group + 1) * scaleStep),
      scaleGrid(recipe, rows, cols),
      dtype,
      orientation,
    ),
  }))
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

type Listed = { readonly kind: string; readonly name: string; readonly problem?: string }

/** A device that tests can run on. */
export type TestDevice<D> = {
  readonly kind: string
  readonly name: string
  open(): Promise<D>
}

/**
 * Every usable device, for `describe.each(await availableDevices(Device))('on $kind', …)`. The
 * runtime's `Device` is passed in, so that this package stands on core alone.
 */
export async function availableDevices<L extends Listed, D>(source: {
  list(): Promise<readonly L[]>
  open(options: { kind: L['kind'] }): Promise<D>
}): Promise<TestDevice<D>[]> {
  const usable = (await source.list()).filter(({ problem }) => problem === undefined)
  return usable.map(({ kind, name }) => ({ kind, name, open: () => source.open({ kind }) }))
}
