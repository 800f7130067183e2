import type { DeviceRef } from '@deepgemm/core'

/** A point in a stream: everything enqueued before it. */
export interface DeviceEvent {
  /** True once the work before the event has finished. */
  readonly done: boolean
  /** Resolves when the work before the event has finished; rejects with what failed in it. */
  synchronize(): Promise<void>
}

/** An in-order queue of device work. Enqueuing returns at once and never blocks the event loop. */
export interface Stream extends Disposable {
  readonly device: DeviceRef
  readonly label: string
  readonly disposed: boolean
  /**
   * Resolves when all work enqueued so far has finished; rejects with the first failure in it that
   * no earlier wait was told of.
   */
  synchronize(): Promise<void>
  /** Marks the work enqueued so far. */
  record(): DeviceEvent
  /** Later work of this stream starts only after `event`. */
  wait(event: DeviceEvent): void
  dispose(): void
}
