import { DeepGemmError, type ErrorDetail } from '@deepgemm/core'

/** The compile-time choices of a kernel, as they are named in errors. */
export type LaunchConfig = Readonly<Record<string, string | number | boolean>>

/** A kernel, the choices it was compiled with, and the stream it was launched on. */
export type KernelNote = {
  readonly kernel: string
  readonly config: LaunchConfig
  readonly stream?: string
}

/** What CUDA answered to which call. */
export type CudaFacts = {
  /** CUDA's name, such as CUDA_ERROR_OUT_OF_MEMORY. */
  readonly status: string
  /** The driver's entry point, such as cuMemAllocFromPoolAsync. */
  readonly call: string
  /** Kernels that the failure may come from: the one that was launched, or those in flight. */
  readonly kernels?: readonly KernelNote[]
}

/** A call of the CUDA driver failed. The device can be used further unless it is a DeviceLostError. */
export class CudaError extends DeepGemmError {
  readonly status: string
  readonly call: string
  readonly kernels: readonly KernelNote[]

  constructor(subject: string, facts: CudaFacts, detail: ErrorDetail = {}, code = 'ERR_CUDA') {
    super(subject, detail, code)
    this.status = facts.status
    this.call = facts.call
    this.kernels = facts.kernels ?? []
  }
}

/** The device has not enough free memory. */
export class CudaMemoryError extends CudaError {
  constructor(subject: string, facts: CudaFacts, detail?: ErrorDetail) {
    super(subject, facts, detail, 'ERR_OUT_OF_MEMORY')
  }
}

/** The driver refused to launch a kernel. */
export class CudaLaunchError extends CudaError {
  constructor(subject: string, facts: CudaFacts, detail?: ErrorDetail) {
    super(subject, facts, detail, 'ERR_LAUNCH')
  }
}

/** Work on the device failed in a way that its context does not survive; nothing more runs on it. */
export class DeviceLostError extends CudaError {
  constructor(subject: string, facts: CudaFacts, detail?: ErrorDetail) {
    super(subject, facts, detail, 'ERR_DEVICE_LOST')
  }
}
