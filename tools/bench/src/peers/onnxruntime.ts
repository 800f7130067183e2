// onnxruntime-node, when it is installed: in this package's cache folder, beside it, or where
// the command was started.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from '../native/folders.js'
import { LineProcess } from '../native/line-process.js'
import { coldCopies, type GemmShape } from '../plan/cases.js'
import type { Contestant } from '../plan/rounds.js'
import { ONNXRUNTIME } from '../report.js'
import type { Peer, PeerLibrary } from './peer.js'

const SERVER = fileURLToPath(new URL('./onnxruntime-server.js', import.meta.url))

const F32_BYTES = 4

/** The library, or undefined when it is not installed. */
export function findOnnxRuntime(): PeerLibrary | undefined {
  const here = join(process.cwd(), 'index.js')
  for (const from of [join(cacheFolder, 'peers', 'index.js'), import.meta.url, here]) {
    try {
      const entry = createRequire(from).resolve('onnxruntime-node')
      const manifest = join(dirname(entry), '..', 'package.json')
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
      return {
        name: 'onnxruntime-node',
        version,
        contestants: [ONNXRUNTIME],
        open: (threads) => new OnnxRuntime(entry, threads),
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  return undefined
}

class OnnxRuntime implements Peer {
  readonly #process: LineProcess

  constructor(entry: string, threads: number) {
    const args = [SERVER, entry, String(threads)]
    this.#process = new LineProcess('The process of onnxruntime-node', process.execPath, args)
  }

  async prepare({ m, n, k }: GemmShape, coldBytes: number): Promise<Contestant[]> {
    const copies = coldCopies(n * k * F32_BYTES, coldBytes)
    await this.#process.ask(`prepare ${m} ${n} ${k} ${copies}`)
    return [{ name: ONNXRUNTIME, run: () => this.#process.ask('run') }]
  }

  error(): Promise<number> {
    return this.#process.ask('error')
  }

  close(): void {
    this.#process.close()
  }
}
