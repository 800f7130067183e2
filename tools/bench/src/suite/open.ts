// Opens the suite on the device that is asked for.

import { CudaDevice } from '@deepgemm/runtime/cuda'
import type { Device } from 'deepgemm'
import type { SuiteBench, SuiteSettings } from './bench.js'
import { CPU_PEERS, CpuBench } from './cpu/bench.js'
import { CudaBench } from './cuda/bench.js'
import { CUDA_PEERS } from './cuda/peers.js'

/** Every library that can stand beside ours, whatever the device. */
export const PEER_NAMES: readonly string[] = [...CPU_PEERS, ...CUDA_PEERS]

export type BenchRequest = SuiteSettings & {
  /** Taken over: closing the bench disposes it. */
  readonly device: Device
  /** The Python that has the GPU's peers; undefined: the first python3 on the PATH. */
  readonly python: string | undefined
}

/** @throws {DeepGemmError} */
export async function openBench({
  device,
  python,
  ...settings
}: BenchRequest): Promise<SuiteBench> {
  try {
    if (device instanceof CudaDevice) return await CudaBench.open(device, settings, python)
    return await CpuBench.open(device, settings)
  } catch (error) {
    await device.dispose()
    throw error
  }
}
