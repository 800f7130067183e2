/** Where computation happens. */
export type DeviceKind = 'cpu' | 'cuda'

/** What core needs to know of a device; the runtime's devices are these. */
export interface DeviceRef {
  readonly kind: DeviceKind
  /** Unique within the process. */
  readonly id: string
  readonly name: string
}

/** A block of device memory with one owner. The runtime implements it. */
export interface Storage {
  readonly device: DeviceRef
  readonly byteLength: number
  /** Names the owner in errors and in `device.memory()`. */
  readonly label: string
  readonly disposed: boolean
  /** Copies bytes to the host after all work enqueued on this storage has finished. */
  read(byteOffset: number, byteLength: number): Promise<Uint8Array>
  /** Copies bytes from the host after all work enqueued on this storage has finished. */
  write(byteOffset: number, bytes: Uint8Array): Promise<void>
  /** Frees the memory once no enqueued work uses it. Idempotent. */
  dispose(): void
}
