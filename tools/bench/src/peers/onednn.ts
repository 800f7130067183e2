// oneDNN, when its headers are installed (Debian: libdnnl-dev).

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from '../native/compile.js'
import { nativeSources } from '../native/folders.js'
import { LineProcess } from '../native/line-process.js'
import { coldCopies, type GemmShape } from '../plan/cases.js'
import type { Contestant } from '../plan/rounds.js'
import { ONEDNN, ONEDNN_PACKED } from '../report.js'
import type { Peer, PeerLibrary } from './peer.js'

const HEADERS = ['/usr/include', '/usr/local/include'].map((folder) =>
  join(folder, 'oneapi/dnnl/dnnl.hpp'),
)

const BF16_BYTES = 2

/** Slots of the program. */
const CONTESTANTS = [ONEDNN, ONEDNN_PACKED]

/** The library, or undefined when it is not installed. @throws {NativeError} */
export async function findOneDnn(): Promise<PeerLibrary | undefined> {
  if (!HEADERS.some((header) => existsSync(header))) return undefined
  const program = await compile({
    name: 'onednn',
    inputs: [join(nativeSources, 'onednn.cpp')],
    headers: ['bytes', 'protocol'].map((name) => join(nativeSources, `${name}.hpp`)),
    libraries: ['dnnl'],
  })
  const start = (threads: number): LineProcess =>
    new LineProcess('The oneDNN program', program, [], { OMP_NUM_THREADS: String(threads) })
  const probe = start(1)
  try {
    const version = versionText(await probe.ask('version'))
    return {
      ...{ name: 'oneDNN', version, contestants: CONTESTANTS },
      open: (threads) => new OneDnn(start(threads)),
    }
  } finally {
    probe.close()
  }
}

/** `20603` -> `2.6.3` */
export function versionText(version: number): string {
  return [Math.floor(version / 10000), Math.floor(version / 100) % 100, version % 100].join('.')
}

class OneDnn implements Peer {
  readonly #process: LineProcess

  constructor(process: LineProcess) {
    this.#process = process
  }

  async prepare({ m, n, k }: GemmShape, coldBytes: number): Promise<Contestant[]> {
    const copies = coldCopies(n * k * BF16_BYTES, coldBytes)
    const contestants: Contestant[] = []
    for (const [slot, name] of CONTESTANTS.entries()) {
      await this.#process.ask(`prepare ${slot} ${m} ${n} ${k} ${slot} ${copies}`)
      contestants.push({ name, run: () => this.#process.ask(`run ${slot}`) })
    }
    return contestants
  }

  error(name: string): Promise<number> {
    return this.#process.ask(`error ${CONTESTANTS.indexOf(name)}`)
  }

  close(): void {
    this.#process.close()
  }
}
