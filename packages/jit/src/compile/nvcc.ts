import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { CompileError, requireInteger, requireKnownOptions } from '@deepgemm/core'
import { describeError, errnoOf } from '../errno.js'
import type { CompilerIdentity } from '../kernel-key.js'
import { type ProcessResult, runBounded } from './bounded-process.js'
import type { CompileRequest, CompileResult, Compiler } from './compiler.js'
import { checkCubin } from './cubin.js'
import { compileFailure } from './failure.js'
import { checkRequest } from './request.js'

export type NvccOptions = {
  /** Milliseconds one compile may take; default 300,000. */
  readonly timeoutMs?: number
  /** Where it takes PATH and LD_LIBRARY_PATH from; default `process.env`. */
  readonly env?: NodeJS.ProcessEnv
}

const maxLogBytes = 2 ** 20
const maxCubinBytes = 256 * 2 ** 20
const oldestVersion = [12, 3] as const

/** Compiles with the `nvcc` of a CUDA toolkit, each compile in a private folder of its own. */
export class NvccCompiler implements Compiler {
  readonly name = 'nvcc'
  readonly baseFlags: readonly string[] = ['-cubin', '-std=c++20']
  readonly path: string
  readonly #timeoutMs: number
  readonly #env: NodeJS.ProcessEnv
  #identity: Promise<CompilerIdentity> | undefined

  constructor(path: string, options: NvccOptions = {}) {
    requireKnownOptions('NvccCompiler', options, ['timeoutMs', 'env'])
    if (!isAbsolute(path)) {
      throw new CompileError('the path of nvcc is not absolute', {
        given: JSON.stringify(path),
        allowed: 'an absolute path',
        remedy: 'Pass the full path, or use findCompiler().',
      })
    }
    this.path = path
    this.#timeoutMs = requireInteger('timeoutMs', options.timeoutMs ?? 300_000, 1)
    this.#env = options.env ?? process.env
  }

  identity(): Promise<CompilerIdentity> {
    this.#identity ??= this.#askVersion()
    return this.#identity
  }

  async compile(request: CompileRequest): Promise<CompileResult> {
    checkRequest(request)
    const folder = await makePrivateFolder(request.source)
    try {
      const result = await this.#run(this.#arguments(request), folder)
      if (result.timedOut) throw this.#tookTooLong(request)
      if (result.exitCode !== 0) throw compileFailure('nvcc', request, result.output)
      const cubin = await readCubin(join(folder, 'kernel.cubin'))
      checkCubin('nvcc', request.entryName, cubin)
      return { cubin, log: result.output }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  #arguments({ target, flags }: CompileRequest): readonly string[] {
    return [...this.baseFlags, `-arch=${target}`, ...flags, '-o', 'kernel.cubin', 'kernel.cu']
  }

  async #run(args: readonly string[], folder: string): Promise<ProcessResult> {
    try {
      return await runBounded(this.path, args, {
        cwd: folder,
        env: compilerEnvironment(this.#env, folder),
        timeoutMs: this.#timeoutMs,
        maxOutputBytes: maxLogBytes,
      })
    } catch (cause) {
      throw new CompileError('nvcc could not be started', {
        given: `${this.path} (${describeError(cause)})`,
        remedy: 'Set DEEPGEMM_NVCC to the absolute path of a working nvcc.',
        cause,
      })
    }
  }

  async #askVersion(): Promise<CompilerIdentity> {
    const { exitCode, output } = await this.#run(['--version'], tmpdir())
    const version = /\bV(\d+)\.(\d+)\.(\d+)\b/.exec(output)
    if (exitCode !== 0 || version === null) {
      throw new CompileError('nvcc did not say its version', {
        given: `${this.path} printed ${JSON.stringify(output.slice(0, 200))}`,
        remedy: 'Set DEEPGEMM_NVCC to the absolute path of a working nvcc.',
      })
    }
    if (isOlder(Number(version[1]), Number(version[2]))) {
      throw new CompileError('nvcc is too old', {
        given: version[0],
        allowed: `${oldestVersion.join('.')} or newer`,
        remedy: 'Install a newer CUDA toolkit, or set DEEPGEMM_NVCC to its nvcc.',
      })
    }
    return { name: this.name, version: version[0].slice(1) }
  }

  #tookTooLong({ entryName, target }: CompileRequest): CompileError {
    return new CompileError(`nvcc took too long over kernel ${entryName} for ${target}`, {
      given: `more than ${this.#timeoutMs} ms`,
      allowed: 'the timeoutMs of the compiler',
      remedy: 'Raise timeoutMs, or check the load of the machine.',
    })
  }
}

function isOlder(major: number, minor: number): boolean {
  return major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1])
}

/**
 * Only what nvcc needs to find its host compiler and libraries. NVCC_APPEND_FLAGS, CPATH and their
 * like would change a kernel without changing its key.
 */
function compilerEnvironment(env: NodeJS.ProcessEnv, folder: string): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name, value]) =>
      ['PATH', 'LD_LIBRARY_PATH', 'SystemRoot'].includes(name) && value !== undefined,
  )
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TMPDIR: folder }
}

/** A new folder of mode 0700 with the source in it. */
async function makePrivateFolder(source: string): Promise<string> {
  let folder: string | undefined
  try {
    folder = await mkdtemp(join(tmpdir(), 'deepgemm-nvcc-'))
    await writeFile(join(folder, 'kernel.cu'), source, { mode: 0o600, flag: 'wx' })
    return folder
  } catch (cause) {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
    throw new CompileError('there is no room for the temporary files of nvcc', {
      given: `${tmpdir()} (${describeError(cause)})`,
      remedy: 'Make room, or set TMPDIR to a writable directory.',
      cause,
    })
  }
}

/** Empty when nvcc wrote none: it claimed success, so the check of the content speaks. */
async function readCubin(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    if (size <= maxCubinBytes) return await readFile(path)
    throw new CompileError('nvcc made a cubin that is too large', {
      given: `${size} bytes`,
      allowed: `at most ${maxCubinBytes} bytes`,
      remedy: 'Check the kernel for huge tables.',
    })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Uint8Array()
    throw error
  }
}
