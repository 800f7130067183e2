// The limits of this machine, measured by a program of our own between the other samples.

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { cpuSources } from '@deepgemm/kernels'
import type { GemmShape } from '../plan/cases.js'
import { compile } from './compile.js'
import { nativeSources } from './folders.js'
import { LineProcess } from './line-process.js'

const require = createRequire(import.meta.url)

/** The library that the addon links in: the same kernels, without Node. */
function kernelLibrary(): string {
  const runtime = dirname(require.resolve('@deepgemm/runtime/package.json'))
  return join(runtime, 'build/kernels-cpu/libdeepgemm_cpu.a')
}

/** Path of the compiled program. @throws {NativeError} */
export function compileMachine(): Promise<string> {
  const ceilings = join(cpuSources, 'bench')
  return compile({
    name: 'machine',
    inputs: [join(nativeSources, 'machine.cpp'), join(ceilings, 'ceilings.cpp'), kernelLibrary()],
    headers: [
      ...['bytes', 'protocol'].map((name) => join(nativeSources, `${name}.hpp`)),
      join(ceilings, 'ceilings.hpp'),
      ...['gemm', 'pool', 'isa'].map((name) =>
        join(cpuSources, `include/deepgemm/cpu/${name}.hpp`),
      ),
    ],
    includes: [join(cpuSources, 'include'), ceilings],
  })
}

export class Machine {
  readonly #process: LineProcess

  constructor(program: string, threads: number) {
    this.#process = new LineProcess('The machine program', program, [String(threads)])
  }

  /** Operations per second of the multiply-add that `isa`'s kernels use; 0 when not known. */
  peak(isa: string): Promise<number> {
    return this.#process.ask(`peak ${isa}`)
  }

  /** Bytes per second of reading memory once. */
  readBandwidth(): Promise<number> {
    return this.#process.ask('read')
  }

  /** Bytes per second, read and written, of copying so many bytes. */
  copyBandwidth(bytes: number): Promise<number> {
    return this.#process.ask(`copy ${bytes}`)
  }

  /** Seconds of one product with warm operands: the median of `runs`. */
  gemmSeconds({ m, n, k }: GemmShape, isa: string, runs: number): Promise<number> {
    return this.#process.ask(`gemm ${m} ${n} ${k} ${isa} ${runs}`)
  }

  close(): void {
    this.#process.close()
  }
}
