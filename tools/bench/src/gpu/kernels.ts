// The benchmark's own kernels, compiled as the library's are, and how they are launched.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Jit } from '@deepgemm/jit'
import {
  ArgumentList,
  type CudaDevice,
  type CudaKernel,
  type CudaStream,
} from '@deepgemm/runtime/cuda'
import type { QuantizedTensor, Tensor } from 'deepgemm'
import { nativeSources } from '../native/folders.js'

const NAMES = [
  'bench_fill_e4m3',
  'bench_fill_scales',
  'bench_fill_f32',
  'bench_fill_bf16',
  'bench_poison',
  'bench_check',
  'bench_read',
  'bench_pause',
  'bench_empty',
  'bench_peak',
  'bench_peak_promoted',
] as const
type Name = (typeof NAMES)[number]

/** The ring of `bench_read`: 8 stages of 16 KB. */
const READ_SHARED_BYTES = 8 * 16384
/** Operands of the peaks: 2 stages of A and of B, 16 KB each. */
export const PEAK_SHARED_BYTES: number = 4 * 16384
const SHARED_BYTES: Readonly<Partial<Record<Name, number>>> = {
  bench_read: READ_SHARED_BYTES,
  bench_peak: PEAK_SHARED_BYTES,
  bench_peak_promoted: PEAK_SHARED_BYTES,
}
const BLOCK = 256
/** Blocks that fill the GPU and go on with the rest. */
const BLOCKS_PER_MULTIPROCESSOR = 8
const PAUSE_NANOSECONDS = 100_000

/** Where the scale of row r and column c of a grid lies: r * row + c * column. */
export type ScaleLayout = {
  readonly rows: number
  readonly columns: number
  readonly row: number
  readonly column: number
}

/** The source of the kernels; no header is needed. */
export function benchSource(): string {
  const files = ['gpu/kernels.cu', 'gpu/peak.cu'].map((name) => join(nativeSources, name))
  return files.map((file) => readFileSync(file, 'utf8')).join('\n')
}

/** The cubin of the kernels. @throws {CompileError | CacheError} */
export async function benchCubin(): Promise<Uint8Array> {
  const jit = await Jit.open()
  const request = { entryName: 'bench_check', config: {}, target: 'sm_90a' }
  return (await jit.getKernel({ ...request, source: benchSource() })).cubin
}

export class BenchKernels {
  readonly device: CudaDevice
  readonly stream: CudaStream
  readonly #kernels: ReadonlyMap<Name, CudaKernel>

  constructor(device: CudaDevice, cubin: Uint8Array) {
    this.device = device
    this.stream = device.createStream('benchmark')
    const module = device.loadModule(cubin, 'benchmark')
    this.#kernels = new Map(
      NAMES.map((name) => {
        return [name, module.kernel(name, { sharedBytes: SHARED_BYTES[name] ?? 0 })]
      }),
    )
  }

  kernel(name: Name): CudaKernel {
    return this.#kernels.get(name) as CudaKernel
  }

  fillValues(to: Tensor, seed: number): void {
    const args = new ArgumentList()
      .pointer(to)
      .i64(to.size / 2)
      .u32(seed)
    this.#spread('bench_fill_e4m3', args)
  }

  fillScales(to: Tensor, { rows, columns, row, column }: ScaleLayout, seed: number): void {
    const args = new ArgumentList().pointer(to).u32(rows).u32(columns).u32(row).u32(column)
    this.#spread('bench_fill_scales', args.u32(seed))
  }

  /** Values and scales of an operand of any shape. */
  fillOperand({ values, scales: { tensor } }: QuantizedTensor, seed: number, scales: number): void {
    this.fillValues(values, seed)
    this.fillScales(tensor, { rows: tensor.size, columns: 1, row: 1, column: 1 }, scales)
  }

  fillF32(to: Tensor, seed: number): void {
    this.#spread('bench_fill_f32', new ArgumentList().pointer(to).i64(to.size).u32(seed))
  }

  fillBf16(to: Tensor, seed: number): void {
    this.#spread('bench_fill_bf16', new ArgumentList().pointer(to).i64(to.size).u32(seed))
  }

  /** Makes every element NaN. */
  poison(to: Tensor): void {
    this.#spread('bench_poison', new ArgumentList().pointer(to).i64(to.byteLength / 2))
  }

  /** Adds what `bench_check` finds to its sums. */
  check(args: ArgumentList): void {
    this.#spread('bench_check', args)
  }

  /** Reads all of a tensor. */
  read(from: Tensor, stream: CudaStream): void {
    const args = new ArgumentList().pointer(from).i64(from.byteLength)
    const geometry = { grid: [this.device.properties.multiprocessors], block: [32] } as const
    this.kernel('bench_read').launch(args, geometry, stream)
  }

  /** Holds the stream while the host enqueues what comes next. */
  pause(nanoseconds: number = PAUSE_NANOSECONDS): void {
    const args = new ArgumentList().u32(nanoseconds)
    this.kernel('bench_pause').launch(args, { grid: [1], block: [1] }, this.stream)
  }

  #spread(name: Name, args: ArgumentList): void {
    const blocks = this.device.properties.multiprocessors * BLOCKS_PER_MULTIPROCESSOR
    this.kernel(name).launch(args, { grid: [blocks], block: [BLOCK] }, this.stream)
  }
}
