import {
  type DeviceRef,
  type DType,
  dtypeBytes,
  encodeArray,
  type Storage,
  Tensor,
} from '@deepgemm/core'

/** Storage in plain memory: what a device's buffer is to core. */
export class MemoryStorage implements Storage {
  readonly bytes: Uint8Array
  readonly device: DeviceRef
  readonly label: string
  disposed = false
  /** Every read, as [offset, length]. */
  readonly reads: [number, number][] = []

  constructor(bytes: Uint8Array | number, { id = 'cpu:0', label = 'test' } = {}) {
    this.bytes = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes
    this.device = { kind: 'cpu', id, name: 'plain memory' }
    this.label = label
  }

  get byteLength(): number {
    return this.bytes.length
  }

  async read(byteOffset: number, byteLength: number): Promise<Uint8Array> {
    this.reads.push([byteOffset, byteLength])
    return this.bytes.slice(byteOffset, byteOffset + byteLength)
  }

  async write(byteOffset: number, bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, byteOffset)
  }

  dispose(): void {
    this.disposed = true
  }
}

/** A row-major tensor with the numbers 0, 1, 2, …, which its dtype must hold exactly. */
export function counting<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  const count = shape.reduce((product, extent) => product * extent, 1)
  const bytes = encodeArray(
    dtype,
    Array.from({ length: count }, (_, i) => i),
  )
  return new Tensor(new MemoryStorage(bytes), { dtype, shape })
}

/** A tensor of zero bytes. */
export function blank<D extends DType>(
  dtype: D,
  shape: readonly number[],
  id = 'cpu:0',
): Tensor<D> {
  const count = shape.reduce((product, extent) => product * extent, 1)
  return new Tensor(new MemoryStorage(count * dtypeBytes(dtype), { id }), { dtype, shape })
}
