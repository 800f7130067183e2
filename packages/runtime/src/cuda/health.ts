import {
  CudaError,
  type CudaFacts,
  CudaLaunchError,
  CudaMemoryError,
  DeviceLostError,
  type KernelNote,
} from './errors.js'
import { describeKernel, type LaunchLog } from './launch-log.js'

/** Answers after which a context takes no more work. */
const FATAL: readonly string[] = [
  'CUDA_ERROR_DEINITIALIZED',
  'CUDA_ERROR_ECC_UNCORRECTABLE',
  'CUDA_ERROR_NVLINK_UNCORRECTABLE',
  'CUDA_ERROR_ILLEGAL_ADDRESS',
  'CUDA_ERROR_LAUNCH_TIMEOUT',
  'CUDA_ERROR_CONTEXT_IS_DESTROYED',
  'CUDA_ERROR_ASSERT',
  'CUDA_ERROR_HARDWARE_STACK_ERROR',
  'CUDA_ERROR_ILLEGAL_INSTRUCTION',
  'CUDA_ERROR_MISALIGNED_ADDRESS',
  'CUDA_ERROR_INVALID_ADDRESS_SPACE',
  'CUDA_ERROR_INVALID_PC',
  'CUDA_ERROR_LAUNCH_FAILED',
]

type NativeFailure = {
  readonly code?: string
  readonly message: string
  readonly given: string
  /** CUDA's text; left out when it has none. */
  readonly allowed?: string
}

/** Turns what the driver answers into typed errors, and knows whether the device is lost. */
export class Health {
  readonly #device: string
  readonly #logs = new Set<LaunchLog>()
  #lost: DeviceLostError | undefined

  constructor(device: string) {
    this.#device = device
  }

  /** Why nothing more runs on the device; undefined while it works. */
  get lost(): DeviceLostError | undefined {
    return this.#lost
  }

  /** Kernels of this log are named when the device is lost. */
  watch(log: LaunchLog): void {
    this.#logs.add(log)
  }

  unwatch(log: LaunchLog): void {
    this.#logs.delete(log)
  }

  /**
   * Runs native code. `subject` begins the error's sentence.
   *
   * @throws {CudaError | DeviceLostError}
   */
  call<T>(subject: string, work: () => T, kernel?: KernelNote): T {
    this.requireWorking()
    try {
      return work()
    } catch (cause) {
      throw this.typed(subject, cause, kernel)
    }
  }

  /** @throws {DeviceLostError} when nothing more runs on the device */
  requireWorking(): void {
    if (this.#lost !== undefined) throw this.#lost
  }

  /** Awaits native work. @throws {CudaError | DeviceLostError} */
  async settle(subject: string, work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (cause) {
      throw this.typed(subject, cause)
    }
  }

  /** What native code threw, as the error that users get. */
  typed(subject: string, cause: unknown, kernel?: KernelNote): unknown {
    const failure = cause as NativeFailure
    if (failure?.code !== 'ERR_CUDA') return cause
    const { message: call, given: status, allowed: text = '' } = failure
    if (FATAL.includes(status)) return this.#lose({ status, call }, text, cause)
    const detail = { given: `${status} from ${call}${inBrackets(text)}`, cause }
    if (kernel !== undefined) {
      const named = `${subject} ${describeKernel(kernel)}`
      return new CudaLaunchError(named, { status, call, kernels: [kernel] }, detail)
    }
    if (status === 'CUDA_ERROR_OUT_OF_MEMORY') {
      const remedy = 'Dispose tensors that are no longer needed; device.memory() lists them.'
      return new CudaMemoryError(subject, { status, call }, { ...detail, remedy })
    }
    return new CudaError(subject, { status, call }, detail)
  }

  #lose(facts: CudaFacts, text: string, cause: unknown): DeviceLostError {
    if (this.#lost !== undefined) return this.#lost
    const kernels = [...this.#logs].flatMap((log) => log.inFlight())
    const suspects =
      kernels.length === 0 ? '' : `; in flight: ${kernels.map(describeKernel).join(', ')}`
    this.#lost = new DeviceLostError(
      `Device ${this.#device} is lost`,
      { ...facts, kernels },
      {
        given: `${facts.status} from ${facts.call}${inBrackets(text)}${suspects}`,
        remedy: 'Its context takes no more work in this process: start a new process.',
        cause,
      },
    )
    return this.#lost
  }
}

function inBrackets(text: string): string {
  return text === '' ? '' : ` (${text})`
}
