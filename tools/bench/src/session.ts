// What a benchmark holds while it runs: devices, programs and peers, opened on first use.

import { Device, OptionError } from 'deepgemm'
import { compileMachine, Machine } from './native/machine.js'
import { findOneDnn } from './peers/onednn.js'
import { findOnnxRuntime } from './peers/onnxruntime.js'
import type { Peer, PeerLibrary } from './peers/peer.js'
import type { RoundOptions } from './plan/rounds.js'

export class Session {
  readonly options: RoundOptions
  readonly libraries: readonly PeerLibrary[]
  readonly #machineProgram: string
  readonly #devices = new Map<string, Device>()
  readonly #machines = new Map<number, Machine>()
  readonly #peers = new Map<number, readonly Peer[]>()

  private constructor(
    options: RoundOptions,
    libraries: readonly PeerLibrary[],
    machineProgram: string,
  ) {
    this.options = options
    this.libraries = libraries
    this.#machineProgram = machineProgram
  }

  /** Looks for peers, if they take part, and compiles what is missing. @throws {NativeError} */
  static async open(options: RoundOptions, peers: boolean): Promise<Session> {
    const found = peers ? [findOnnxRuntime(), await findOneDnn()] : []
    const libraries = found.filter((library) => library !== undefined)
    return new Session(options, libraries, await compileMachine())
  }

  /** A device; undefined when this machine does not have the instruction set. */
  async device(threads: number, isa?: string): Promise<Device | undefined> {
    const key = `${threads} ${isa ?? ''}`
    const held = this.#devices.get(key)
    if (held !== undefined) return held
    const spec = { kind: 'cpu', threads, ...(isa === undefined ? {} : { isa }) } as const
    try {
      const device = await Device.open(spec)
      this.#devices.set(key, device)
      return device
    } catch (error) {
      if (isa !== undefined && error instanceof OptionError) return undefined
      throw error
    }
  }

  /** The device of the best instruction set. */
  async best(threads: number): Promise<Device> {
    return (await this.device(threads)) as Device
  }

  machine(threads: number): Machine {
    const held = this.#machines.get(threads) ?? new Machine(this.#machineProgram, threads)
    this.#machines.set(threads, held)
    return held
  }

  peers(threads: number): readonly Peer[] {
    const held = this.#peers.get(threads) ?? this.libraries.map((library) => library.open(threads))
    this.#peers.set(threads, held)
    return held
  }

  /** Ends every process and thread that this session started. */
  async close(): Promise<void> {
    for (const machine of this.#machines.values()) machine.close()
    for (const peer of [...this.#peers.values()].flat()) peer.close()
    for (const device of this.#devices.values()) await device.dispose()
  }
}
