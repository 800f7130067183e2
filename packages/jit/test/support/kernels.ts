import {
  type CacheEvent,
  KernelCache,
  type KernelCacheOptions,
  type KernelSpec,
} from '@deepgemm/jit'

/** A kernel to ask for; different numbers are different kernels. */
export function specOf(number: number): KernelSpec {
  return {
    source: `extern "C" __global__ void kernel() { /* ${number} */ }\n`,
    entryName: 'kernel',
    config: { blockM: 64, number },
    compiler: { name: 'fake', version: '1.0.0' },
    flags: ['-O3'],
    target: 'sm_90a',
  }
}

/** What the fake compiler makes of it: bytes that anybody can compute again and compare. */
export function cubinOf(number: number, length = 256): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + number * 31) & 0xff)
}

export type Observed = {
  readonly cache: KernelCache
  readonly events: CacheEvent[]
  /** Numbers of the kernels compiled so far. */
  readonly compiled: number[]
  /** Asks for a kernel and compiles it if need be. */
  readonly want: (number: number) => Promise<Uint8Array>
}

/** A cache in a folder with its events and compiles recorded. */
export async function observedCache(
  writable: string | false,
  options: KernelCacheOptions = {},
): Promise<Observed> {
  const events: CacheEvent[] = []
  const compiled: number[] = []
  const cache = await KernelCache.open({
    roots: { readOnly: [], writable },
    env: {},
    onEvent: (event) => events.push(event),
    ...options,
  })
  const want = async (number: number): Promise<Uint8Array> => {
    const { cubin } = await cache.getOrCompile(specOf(number), async () => {
      compiled.push(number)
      return cubinOf(number)
    })
    return cubin
  }
  return { cache, events, compiled, want }
}
