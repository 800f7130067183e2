import { CompileError } from '@deepgemm/core'
import type { CompilerIdentity } from '../kernel-key.js'
import type { CompileRequest, CompileResult, Compiler } from './compiler.js'
import { checkCubin } from './cubin.js'
import { compileFailure } from './failure.js'
import { checkRequest } from './request.js'

/** What NVRTC says to one program. `cubin` is undefined when the program did not compile. */
export type NvrtcResult = { readonly cubin: Uint8Array | undefined; readonly log: string }

/** The loaded NVRTC library, as the native runtime hands it over. Compiles off the main thread. */
export interface NvrtcBinding {
  /** Major and minor version as `nvrtcVersion` reports them. */
  readonly version: readonly [major: number, minor: number]
  compile(source: string, name: string, options: readonly string[]): Promise<NvrtcResult>
}

/** Compiles with libnvrtc in this process: no toolkit, no host compiler, no temporary file. */
export class NvrtcCompiler implements Compiler {
  readonly name = 'nvrtc'
  readonly baseFlags: readonly string[] = ['--std=c++20']
  readonly #binding: NvrtcBinding

  constructor(binding: NvrtcBinding) {
    const [major, minor] = binding.version
    if (major < 12 || (major === 12 && minor < 3)) {
      throw new CompileError('NVRTC is too old', {
        given: `${major}.${minor}`,
        allowed: '12.3 or newer',
        remedy: 'Install a newer libnvrtc.',
      })
    }
    this.#binding = binding
  }

  identity(): Promise<CompilerIdentity> {
    return Promise.resolve({ name: this.name, version: this.#binding.version.join('.') })
  }

  async compile(request: CompileRequest): Promise<CompileResult> {
    checkRequest(request)
    const { source, target, flags, entryName } = request
    const options = [...this.baseFlags, `--gpu-architecture=${target}`, ...flags]
    const { cubin, log } = await this.#binding.compile(source, 'kernel.cu', options)
    if (cubin === undefined) throw compileFailure('NVRTC', request, log)
    checkCubin('NVRTC', entryName, cubin)
    return { cubin, log }
  }
}
