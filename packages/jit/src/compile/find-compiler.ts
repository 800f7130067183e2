import { CompileError, OptionError, requireKnownOptions } from '@deepgemm/core'
import { describeError } from '../errno.js'
import type { Compiler } from './compiler.js'
import { loadNvrtc } from './load-nvrtc.js'
import { type LookedAt, locateNvcc } from './locate-nvcc.js'
import { NvccCompiler } from './nvcc.js'
import { type NvrtcBinding, NvrtcCompiler } from './nvrtc.js'

export type FindCompilerOptions = {
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv
  /** Loads NVRTC, or rejects with the reason. Default: `loadNvrtc`. */
  readonly nvrtc?: () => Promise<NvrtcBinding>
}

type Attempt = { readonly compiler?: Compiler; readonly lookedAt: readonly LookedAt[] }

/**
 * The compiler to use: NVRTC if it loads, else nvcc. DEEPGEMM_COMPILER=nvrtc or nvcc allows only
 * that one. With none, a CompileError that lists every place looked at.
 */
export async function findCompiler(options: FindCompilerOptions = {}): Promise<Compiler> {
  requireKnownOptions('findCompiler', options, ['env', 'nvrtc'])
  const env = options.env ?? process.env
  const lookedAt: LookedAt[] = []
  for (const name of allowedCompilers(env)) {
    const attempt =
      name === 'nvrtc'
        ? await tryNvrtc(options.nvrtc ?? (() => loadNvrtc(env)))
        : await tryNvcc(env)
    if (attempt.compiler !== undefined) return attempt.compiler
    lookedAt.push(...attempt.lookedAt)
  }
  throw noCompiler(lookedAt)
}

function allowedCompilers(env: NodeJS.ProcessEnv): readonly ('nvrtc' | 'nvcc')[] {
  const choice = env['DEEPGEMM_COMPILER']
  if (choice === undefined || choice === '') return ['nvrtc', 'nvcc']
  if (choice === 'nvrtc' || choice === 'nvcc') return [choice]
  throw new OptionError('DEEPGEMM_COMPILER names no compiler', {
    given: JSON.stringify(choice),
    allowed: 'nvrtc or nvcc',
    remedy: 'Correct or unset it; the path of nvcc goes into DEEPGEMM_NVCC.',
  })
}

async function tryNvrtc(load: () => Promise<NvrtcBinding>): Promise<Attempt> {
  try {
    return { compiler: new NvrtcCompiler(await load()), lookedAt: [] }
  } catch (error) {
    return { lookedAt: [{ place: 'NVRTC', finding: describeError(error) }] }
  }
}

async function tryNvcc(env: NodeJS.ProcessEnv): Promise<Attempt> {
  const { path, lookedAt } = await locateNvcc(env)
  if (path === undefined) return { lookedAt }
  const compiler = new NvccCompiler(path, { env })
  try {
    await compiler.identity()
    return { compiler, lookedAt }
  } catch (error) {
    return { lookedAt: [...lookedAt, { place: path, finding: describeError(error) }] }
  }
}

function noCompiler(lookedAt: readonly LookedAt[]): CompileError {
  const places = lookedAt.map(({ place, finding }) => `  ${place}: ${finding}`).join('\n')
  return new CompileError('there is no CUDA compiler', {
    given: `\n${places}\n`,
    allowed: 'libnvrtc 12.3 or newer, or nvcc 12.3 or newer',
    remedy:
      'Install one of them, set DEEPGEMM_NVCC to the absolute path of nvcc, import a bundle of ' +
      'compiled kernels into the cache, or compute on the CPU with DEEPGEMM_DEVICE=cpu.',
    code: 'ERR_NO_COMPILER',
  })
}
