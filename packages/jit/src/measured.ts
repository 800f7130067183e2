import type { KernelCache } from './cache/kernel-cache.js'
import { type CanonicalValue, canonicalJson } from './canonical-json.js'
import type { KernelSpec } from './kernel-key.js'

/** What was measured, and all that the outcome depends on. */
export type Question = {
  /** A name such as `gemm_tuning`; listings of the cache show it. */
  readonly subject: string
  readonly about: CanonicalValue
  /** GPU architecture, `sm_90a`. */
  readonly target: string
}

export type Answer = {
  /** JSON of another time and program: to be checked before it is used. */
  readonly value: unknown
  readonly origin: 'cache' | 'measured'
}

/**
 * The answer to a question, measured once and kept among the kernels under the question's digest:
 * found by content, verified, bounded, exported and imported as they are, and while one process
 * measures, others wait instead of disturbing it.
 */
export async function measuredOnce(
  cache: KernelCache,
  { subject, about, target }: Question,
  measure: () => Promise<CanonicalValue>,
): Promise<Answer> {
  const spec: KernelSpec = {
    source: canonicalJson({ subject, about }),
    entryName: subject,
    config: {},
    compiler: { name: 'measurement', version: '1' },
    flags: [],
    target,
  }
  const { cubin, origin } = await cache.getOrCompile(spec, async () =>
    Buffer.from(canonicalJson(await measure())),
  )
  const value: unknown = JSON.parse(Buffer.from(cubin).toString('utf8'))
  return { value, origin: origin === 'cache' ? 'cache' : 'measured' }
}
