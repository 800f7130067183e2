// What the kernels around the grouped products have in common: how they are named, loaded, launched.

import { DeviceError, dtypeBytes, type FloatDType, type Tensor } from '@deepgemm/core'
import { isAligned } from '@deepgemm/core/sm90'
import { type DeviceKernelSpec, deviceKernels } from '@deepgemm/jit'
import type { ArgumentList, CudaDevice, CudaStream, Extents } from '@deepgemm/runtime/cuda'

const TARGET = 'sm_90a'

/** The words of `enum class Source` (`kernels/cuda/base/choices.cuh`). */
const SOURCES = { f32: 'Source::kF32', f16: 'Source::kF16', bf16: 'Source::kBf16' } as const

/** Elements that a thread takes at a time. */
export const RUN = 8

export function sourceName(dtype: FloatDType): string {
  return SOURCES[dtype]
}

/** One object per kernel: finding a loaded kernel by its object is quick. */
const specs = new Map<string, DeviceKernelSpec>()

/** A kernel of `kernels/cuda/entry`, compiled for these choices. */
export function kernelSpec(
  name: string,
  struct: string,
  config: DeviceKernelSpec['config'],
  sharedBytes = 0,
): DeviceKernelSpec {
  const key = `${name} ${JSON.stringify(config)}`
  const spec = specs.get(key) ?? { name, struct, config, target: TARGET, sharedBytes }
  specs.set(key, spec)
  return spec
}

/** Whether rows start and end at multiples of so many bytes. */
export function rowsAligned(tensor: Tensor, bytes: number): boolean {
  return isAligned(tensor, dtypeBytes(tensor.dtype), bytes)
}

/** Elements from one row of a matrix to the next. */
export function rowStride(tensor: Tensor): number {
  return tensor.strides.at(-2) as number
}

/** Compiles and loads what is missing; undefined when nothing is. @throws {CompileError} */
export function prepareKernels(
  device: CudaDevice,
  specs: readonly DeviceKernelSpec[],
): Promise<unknown> | undefined {
  const kernels = deviceKernels(device)
  const missing = specs.filter((spec) => kernels.loaded(spec) === undefined)
  return missing.length === 0 ? undefined : kernels.load(missing)
}

export type LaunchShape = {
  readonly grid: Extents
  readonly threads: number
  /** Blocks of a cluster. Default 1. */
  readonly cluster?: Extents
}

/** @throws {DeviceError} when the kernel was not prepared */
export function launchKernel(
  stream: CudaStream,
  spec: DeviceKernelSpec,
  args: ArgumentList,
  { grid, threads, cluster = [1] }: LaunchShape,
): void {
  const kernel = deviceKernels(stream.device).loaded(spec)
  if (kernel === undefined) {
    throw new DeviceError(`The kernel ${spec.name} is not loaded`, {
      given: JSON.stringify(spec.config),
      allowed: 'kernels that were loaded on this device',
      remedy: 'Await one call of this kind first: it compiles the kernel.',
    })
  }
  kernel.launch(args, { grid, block: [threads], cluster, programmatic: true }, stream)
}
