import { CompileError } from '@deepgemm/core'
import { loadAddon } from '../native/load.js'
import { libraryOverride } from './library.js'

/** The run-time compiler, loaded. */
export type NvrtcLibrary = {
  readonly path: string
  readonly version: readonly [major: number, minor: number]
  /** On a thread of its own, as many at a time as are asked for. `cubin` is undefined when the source did not compile; `log` says why. */
  compile(
    source: string,
    name: string,
    options: readonly string[],
  ): Promise<{ readonly cubin: Uint8Array | undefined; readonly log: string }>
}

/** Newest first; the linker's search path decides where. */
const SYSTEM_LIBRARIES: readonly string[] =
  process.platform === 'win32'
    ? ['nvrtc64_130_0.dll', 'nvrtc64_120_0.dll']
    : [
        'libnvrtc.so.13',
        'libnvrtc.so.12',
        'libnvrtc.so',
        '/usr/local/cuda/lib64/libnvrtc.so.13',
        '/usr/local/cuda/lib64/libnvrtc.so.12',
      ]

/**
 * Loads libnvrtc: `DEEPGEMM_NVRTC_LIBRARY` if set, else what the system has.
 *
 * @throws {CompileError} that lists every place looked at
 * @throws {OptionError} when the variable is a relative path
 */
export function openNvrtc(
  env: Readonly<Record<string, string | undefined>> = process.env,
): NvrtcLibrary {
  const override = libraryOverride('DEEPGEMM_NVRTC_LIBRARY', env)
  const failures: string[] = []
  for (const path of override === undefined ? SYSTEM_LIBRARIES : [override]) {
    const { version, problem } = loadAddon().cuda.nvrtcOpen(path)
    if (version !== undefined) return libraryAt(path, version)
    failures.push(`${path} (${problem})`)
  }
  throw new CompileError('libnvrtc could not be loaded', {
    given: `tried ${failures.join('; ')}`,
    remedy: 'Install libnvrtc 12.3 or newer, or name it in DEEPGEMM_NVRTC_LIBRARY.',
    code: 'ERR_NO_NVRTC',
  })
}

function libraryAt(path: string, version: readonly [number, number]): NvrtcLibrary {
  const { cuda, Stream } = loadAddon()
  return {
    path,
    version,
    compile: async (source, name, options) => {
      const thread = new Stream()
      try {
        const result = cuda.nvrtcCompile(thread, path, source, name, options)
        await thread.synchronize()
        const { cubin, log } = result()
        return { cubin, log }
      } catch (cause) {
        throw new CompileError('NVRTC failed', {
          given: (cause as Error).message,
          remedy: 'Check that libnvrtc and its builtins library are of one version.',
          code: 'ERR_NVRTC',
          cause,
        })
      } finally {
        thread.close()
      }
    },
  }
}
