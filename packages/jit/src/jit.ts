import { availableParallelism } from 'node:os'
import { CompileError, requireKnownOptions } from '@deepgemm/core'
import { KernelCache } from './cache/kernel-cache.js'
import type { CompileRequest, Compiler } from './compile/compiler.js'
import { findCompiler } from './compile/find-compiler.js'
import { type KernelResources, kernelResources } from './compile/kernel-resources.js'
import { Limiter } from './compile/limiter.js'
import { checkConfig, type KernelConfig } from './config.js'
import { type CompilerIdentity, programDigest, sha256 } from './kernel-key.js'

export type JitOptions = {
  /** Default: `KernelCache.open()`. */
  readonly cache?: KernelCache
  /** Default: `findCompiler()`, asked when the first kernel is wanted. */
  readonly compiler?: Compiler
  /** Compiles at a time; default the number of processors, at most 16. */
  readonly concurrency?: number
}

/** A kernel to have: what to compile and for which GPU. */
export type KernelRequest = {
  /** The whole translation unit, as `assembleSource` makes it. */
  readonly source: string
  /** The SHA-256 of its UTF-8 form, where it is known already. */
  readonly sourceSha256?: string
  readonly entryName: string
  /** The choices that went into the source; kept with the kernel and named in errors. */
  readonly config: KernelConfig
  /** GPU architecture, `sm_90a`. */
  readonly target: string
  readonly flags?: readonly string[]
}

/** A compiled kernel, ready for a device to load. */
export type Kernel = {
  readonly key: string
  readonly entryName: string
  readonly config: KernelConfig
  readonly target: string
  readonly compiler: CompilerIdentity
  readonly cubin: Uint8Array
  readonly origin: 'cache' | 'compiled'
}

export type KernelProgress = {
  readonly done: number
  readonly total: number
  /** The kernel that was just finished, and its place among the requests. */
  readonly kernel: Kernel
  readonly index: number
}

/** From source to cubin: one cache, one compiler, a bounded number of compiles at a time. */
export class Jit {
  readonly cache: KernelCache
  readonly #limiter: Limiter
  #compiler: Promise<Compiler> | undefined

  private constructor(cache: KernelCache, compiler: Compiler | undefined, limiter: Limiter) {
    this.cache = cache
    this.#limiter = limiter
    this.#compiler = compiler === undefined ? undefined : Promise.resolve(compiler)
  }

  static async open(options: JitOptions = {}): Promise<Jit> {
    requireKnownOptions('Jit.open', options, ['cache', 'compiler', 'concurrency'])
    const limiter = new Limiter(options.concurrency ?? Math.min(availableParallelism(), 16))
    return new Jit(options.cache ?? (await KernelCache.open()), options.compiler, limiter)
  }

  /** The compiler in use; rejects with a CompileError when there is none. */
  compiler(): Promise<Compiler> {
    this.#compiler ??= findCompiler()
    return this.#compiler
  }

  /** One kernel, from the cache or compiled. Without any compiler only the cache is asked. */
  async getKernel(request: KernelRequest): Promise<Kernel> {
    checkConfig(request.config)
    const { source, entryName, config, target, flags = [] } = request
    const sourceSha256 = request.sourceSha256 ?? sha256(source)
    let compiler: Compiler
    try {
      compiler = await this.compiler()
    } catch (error) {
      return this.#getShipped(request, error)
    }
    const compileRequest: CompileRequest = { source, target, flags, entryName }
    const identity = await compiler.identity()
    const compile = async (): Promise<Uint8Array> => {
      const { cubin } = await compiler.compile(compileRequest)
      warnOfSpill(request, identity, kernelResources(cubin, entryName))
      return cubin
    }
    const spec = {
      ...{ source, sourceSha256, entryName, config, target },
      compiler: identity,
      flags: [...compiler.baseFlags, ...flags],
    }
    const found = await this.cache
      .getOrCompile(spec, compile, () => this.#limiter.enter())
      .catch((error: unknown) => {
        throw withConfig(error, config)
      })
    return describeKernel(found.manifest, found.cubin, found.origin)
  }

  /**
   * Many kernels, in the order of the requests, compiled in parallel. When some fail, the others
   * are finished first (and stay in the cache), then the first failure is thrown.
   */
  async getKernels(
    requests: readonly KernelRequest[],
    options: { readonly onProgress?: (progress: KernelProgress) => void } = {},
  ): Promise<readonly Kernel[]> {
    requireKnownOptions('getKernels', options, ['onProgress'])
    let done = 0
    const settled = await Promise.allSettled(
      requests.map(async (request, index) => {
        const kernel = await this.getKernel(request)
        done += 1
        options.onProgress?.({ done, total: requests.length, kernel, index })
        return kernel
      }),
    )
    return settled.map((result) => {
      if (result.status === 'rejected') throw result.reason
      return result.value
    })
  }

  async #getShipped(request: KernelRequest, noCompiler: unknown): Promise<Kernel> {
    const { source, entryName, config, target } = request
    const sourceSha256 = request.sourceSha256 ?? sha256(source)
    const program = programDigest({ sourceSha256, entryName, config, target })
    const entry = await this.cache.getProgram(program)
    if (entry === undefined) throw withConfig(noCompiler, config)
    return describeKernel(entry.manifest, entry.cubin, 'cache')
  }
}

type KernelFacts = Omit<Kernel, 'cubin' | 'origin'>

function describeKernel(facts: KernelFacts, cubin: Uint8Array, origin: Kernel['origin']): Kernel {
  const { key, entryName, config, target, compiler } = facts
  return { key, entryName, config, target, compiler, cubin, origin }
}

/**
 * Compilers differ in what they can keep in registers. A kernel that spills is right and slow, which
 * nobody would look for here; said when it is compiled, once for all processes that share a cache.
 */
function warnOfSpill(
  { entryName, config }: KernelRequest,
  { name, version }: CompilerIdentity,
  resources: KernelResources | undefined,
): void {
  if (resources === undefined || resources.localBytes === 0) return
  process.emitWarning(
    `Kernel ${entryName} (${configText(config)}) is right, but slower than it should be: ` +
      `${name} ${version} put ${resources.localBytes} bytes per thread into local memory. ` +
      'Another version of the compiler may not, or the other one (DEEPGEMM_COMPILER).',
    { code: 'DEEPGEMM_SPILL', type: 'DeepGemmWarning' },
  )
}

function configText(config: KernelConfig): string {
  const members = Object.entries(config).map(([name, value]) => `${name}=${value}`)
  return members.join(' ') || 'empty'
}

/** Says for which config a compile failed: with many configs of one kernel, the name is not enough. */
function withConfig(error: unknown, config: KernelConfig): unknown {
  if (!(error instanceof CompileError)) return error
  return new CompileError(`a kernel with config ${configText(config)} is not to be had`, {
    given: error.message,
    code: error.code,
    cause: error,
  })
}
