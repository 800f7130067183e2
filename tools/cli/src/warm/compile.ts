import { type DeviceKernelSpec, type Jit, kernelKey, kernelRequest } from '@deepgemm/jit'
import type { WarmKernel } from './kernels.js'

/** A kernel of a plan, and whether the cache has it. */
export type WantedKernel = WarmKernel & { readonly key: string; readonly cached: boolean }

/**
 * Looks for kernels in the cache under the compiler that is there.
 *
 * @throws {CompileError} when there is no compiler
 */
export async function findKernels(
  jit: Jit,
  kernels: readonly WarmKernel[],
): Promise<readonly WantedKernel[]> {
  const compiler = await jit.compiler()
  const identity = await compiler.identity()
  const found: WantedKernel[] = []
  for (const kernel of kernels) {
    const request = await kernelRequest(kernel.spec)
    const flags = [...compiler.baseFlags, ...(request.flags ?? [])]
    const key = kernelKey({ ...request, compiler: identity, flags })
    found.push({ ...kernel, key, cached: (await jit.cache.get(key)) !== undefined })
  }
  return found
}

/**
 * Compiles kernels into the cache, a few at a time. One that fails does not keep the others from
 * being compiled; an interruption starts no more.
 *
 * @throws the first failure, when all is done
 */
export async function compileKernels(
  jit: Jit,
  kernels: readonly { readonly spec: DeviceKernelSpec }[],
  { jobs, signal }: { readonly jobs: number; readonly signal: AbortSignal },
  onDone: () => void,
): Promise<void> {
  const waiting = [...kernels]
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (signal.aborted) return
      try {
        await jit.getKernel(await kernelRequest(next.spec))
        onDone()
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
}
