// The limits of this machine: a program made of the kernels' sources alone.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cpuSources } from '@deepgemm/kernels'
import { compile } from './compile.js'
import { nativeSources } from './folders.js'
import { LineProcess } from './line-process.js'

/** Path of the compiled program. @throws {NativeError} where no C++ compiler is */
export function compileLimits(): Promise<string> {
  const ceilings = join(cpuSources, 'bench')
  return compile({
    name: 'limits',
    inputs: [
      join(nativeSources, 'limits.cpp'),
      join(ceilings, 'ceilings.cpp'),
      ...['isa', 'pool'].flatMap((part) => sourcesIn(join(cpuSources, 'src', part))),
    ],
    headers: [
      ...['bytes', 'protocol'].map((name) => join(nativeSources, `${name}.hpp`)),
      join(ceilings, 'ceilings.hpp'),
    ],
    includes: [join(cpuSources, 'include'), join(cpuSources, 'src'), ceilings],
  })
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cpp'))
    .map((name) => join(folder, name))
}

export class Limits {
  readonly #process: LineProcess

  constructor(program: string, threads: number) {
    this.#process = new LineProcess('The program of the limits', program, [String(threads)])
  }

  /** Operations per second of the multiply-add that `isa`'s kernels use; 0 when not known. */
  peak(isa: string): Promise<number> {
    return this.#process.ask(`peak ${isa}`)
  }

  /** Bytes per second of reading memory once. */
  readBandwidth(): Promise<number> {
    return this.#process.ask('read')
  }

  close(): void {
    this.#process.close()
  }
}
