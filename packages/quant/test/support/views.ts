import type { Tensor } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import type { Source } from './sources.js'

/** Bits that would spoil every scale they reach: the largest finite number of each dtype. */
const LOUD = { f32: 0x7f7f_ffff, bf16: 0x7f7f, f16: 0x7bff } as const

/** The source as a view of a larger tensor whose other elements are loud. */
export function embed(device: Device, source: Source, gap: number): Tensor {
  const { dtype, shape, data } = source
  const [rows, cols] = shape.slice(-2) as [number, number]
  const lead = shape.slice(0, -2)
  const [tall, wide] = [rows + gap, cols + gap]
  const groups = lead[0] ?? 1
  const cells = new Uint32Array(groups * tall * wide).fill(LOUD[dtype])
  const bits = dtype === 'f32' ? new Uint32Array(data.buffer) : (data as Uint16Array)
  for (let i = 0; i < groups * rows; i++) {
    const start = (Math.floor(i / rows) * tall + (i % rows)) * wide
    cells.set(bits.subarray(i * cols, (i + 1) * cols), start)
  }
  const stored = dtype === 'f32' ? new Float32Array(cells.buffer) : Uint16Array.from(cells)
  const whole = device.tensor(stored, { dtype, shape: [...lead, tall, wide], label: 'embedding' })
  return whole.slice(lead.length, 0, rows).slice(lead.length + 1, 0, cols)
}
