// The libraries beside ours, in a Python process that works only when it is asked.

import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NativeError } from 'deepgemm'
import { JsonProcess, type JsonProcessOptions } from './json-process.js'
import type { AnyPeerName, PeerName } from './options.js'
import { MOST_ERROR } from './rows.js'
import type { Contestant } from './turns.js'

const FOLDER = fileURLToPath(new URL('../../peers/', import.meta.url))
/** Compiling one of DeepGEMM's kernels takes seconds; nothing takes minutes. */
const TIMEOUT_MS = 120_000

type Hello = {
  readonly peers: Readonly<Record<string, string>>
  readonly missing: Readonly<Record<string, string>>
}
type Prepared = Readonly<Partial<Record<AnyPeerName, { error?: number; refused?: string }>>>

/** What gpu_peers.py prepares: dense products and gradients, grouped ones, or layers. */
type PrepareVerb = 'prepare' | 'prepare_grouped' | 'prepare_layer'

/** A peer whose product is right. */
export type PreparedPeer<Name extends AnyPeerName = PeerName> = Contestant<Name> & {
  /** 1 - 2 sum(xy) / sum(x^2 + y^2) of its first product. */
  readonly error: number
}

/** Absolute path of the first python3 on the PATH; relative entries are not followed. */
export function findPython(path: string | undefined): string | undefined {
  return (path ?? '')
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, 'python3'))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** How the peers' program is started with a Python. */
export function peerProcess(python: string): JsonProcessOptions {
  const args = ['-u', join(FOLDER, 'gpu_peers.py')]
  return { subject: 'The process of the peers', file: python, args, timeoutMs: TIMEOUT_MS }
}

/** Peers that take part. What goes wrong with them is told once and never ends the benchmark. */
export class GpuPeers {
  readonly versions: Record<string, string> = {}
  /** Why peers or single products of theirs are missing. */
  readonly missing: string[] = []
  readonly #process: JsonProcess
  #turn = 0

  private constructor(process: JsonProcess) {
    this.#process = process
  }

  static async start(
    options: JsonProcessOptions,
    names: readonly AnyPeerName[],
  ): Promise<GpuPeers> {
    const peers = new GpuPeers(new JsonProcess(options))
    const hello = (await peers.#asked('hello', { peers: names })) as Hello | undefined
    Object.assign(peers.versions, hello?.peers)
    for (const [name, reason] of Object.entries(hello?.missing ?? {})) {
      peers.missing.push(`${name}: ${reason}`)
    }
    return peers
  }

  /** Bytes per second of a copy, in GB/s; null when the process is not there. */
  async copyBandwidth(): Promise<number | null> {
    const answer = (await this.#asked('copy')) as { gbs: number } | undefined
    return answer === undefined ? null : Math.round(answer.gbs)
  }

  /**
   * Makes operands and graphs for the product that `verb` and its members ask for; resolves with
   * the peers that do it. They can be asked for times until the next product is prepared.
   */
  async prepare<Name extends AnyPeerName = PeerName>(
    verb: PrepareVerb,
    members: object,
  ): Promise<readonly PreparedPeer<Name>[]> {
    const answer = (await this.#asked(verb, members)) as Prepared | undefined
    const turn = ++this.#turn
    const names = Object.keys(answer ?? {}) as Name[]
    const able = names.filter((name) => {
      const reason = refusalOf(answer?.[name])
      if (reason !== undefined) this.#miss(`${name}, ${productName(members)}: ${reason}`)
      return reason === undefined
    })
    return able.map((name) => ({
      name,
      error: answer?.[name]?.error ?? Number.NaN,
      times: async (replays) => (turn === this.#turn ? this.#measured(name, replays) : []),
    }))
  }

  /** Microseconds per launch of every replay; none when the process is gone. */
  async #measured(peer: AnyPeerName, replays: number): Promise<readonly number[]> {
    const answer = (await this.#asked('measure', { peer, replays })) as { us: number[] } | undefined
    return answer?.us ?? []
  }

  close(): void {
    this.#process.close()
  }

  async #asked(verb: string, members: object = {}): Promise<unknown> {
    if (this.#process.ended !== undefined) return undefined
    try {
      return await this.#process.ask(verb, members)
    } catch (error) {
      if (!(error instanceof NativeError)) throw error
      this.#miss(error.message)
      return undefined
    }
  }

  #miss(reason: string): void {
    if (!this.missing.includes(reason)) this.missing.push(reason)
  }
}

/** A product in a message: what a person needs to find its row. */
function productName(members: object): string {
  const { problem, groups, m, expected_m, n, k } = members as Record<string, unknown>
  const rows = groups === undefined ? m : `${groups}x${expected_m}`
  return `${problem} ${rows}x${n}x${k}`
}

/** Why a peer's product does not count; undefined when it does. */
function refusalOf(answer: Prepared[AnyPeerName]): string | undefined {
  if (answer?.refused !== undefined) return answer.refused
  const error = answer?.error ?? Number.NaN
  return error <= MOST_ERROR ? undefined : `its error is ${error}`
}
