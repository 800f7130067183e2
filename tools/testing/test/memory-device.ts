import { type DeviceRef, type Storage, Tensor } from '@deepgemm/core'
import type { TensorMaker } from '@deepgemm/testing'

class MemoryStorage implements Storage {
  readonly device: DeviceRef = { kind: 'cpu', id: 'memory', name: 'plain memory' }
  readonly label = 'test'
  readonly bytes: Uint8Array
  disposed = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get byteLength(): number {
    return this.bytes.length
  }

  async read(byteOffset: number, byteLength: number): Promise<Uint8Array> {
    return this.bytes.slice(byteOffset, byteOffset + byteLength)
  }

  async write(byteOffset: number, bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, byteOffset)
  }

  dispose(): void {
    this.disposed = true
  }
}

/** A device that only holds tensors. */
export const memoryDevice: TensorMaker = {
  tensor: (data, { dtype, shape }) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    return new Tensor(new MemoryStorage(bytes), { dtype, shape })
  },
}
