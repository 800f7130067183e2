import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NativeError } from '@deepgemm/core'
import type { NativeAddon } from './addon.js'

const require = createRequire(import.meta.url)

type LoadedAddon = { readonly addon: NativeAddon; readonly path: string }

let loaded: LoadedAddon | undefined

/**
 * The native addon, loaded on first use: `DEEPGEMM_NATIVE` if set, else a local build, else the
 * platform package.
 *
 * @throws {NativeError} that lists every place looked at and what to do.
 */
export function loadAddon(): NativeAddon {
  return loadedAddon().addon
}

/** Where the addon was loaded from. @throws {NativeError} */
export function addonPath(): string {
  return loadedAddon().path
}

function loadedAddon(): LoadedAddon {
  loaded ??= findAddon()
  return loaded
}

function findAddon(): LoadedAddon {
  const override = process.env['DEEPGEMM_NATIVE']
  if (override !== undefined && override !== '') return loadOverride(override)
  const failures: string[] = []
  for (const candidate of candidates()) {
    try {
      return { addon: require(candidate) as NativeAddon, path: require.resolve(candidate) }
    } catch (error) {
      failures.push(`${candidate} (${firstLine(error)})`)
    }
  }
  throw new NativeError('The native addon of @deepgemm/runtime could not be loaded', {
    given: `${process.platform}-${process.arch}, Node ${process.versions.node}; tried ${failures.join('; ')}`,
    allowed: `a build in the package itself or the package ${platformPackage()}`,
    remedy: remedy(),
  })
}

function loadOverride(path: string): LoadedAddon {
  if (!isAbsolute(path)) {
    throw new NativeError('DEEPGEMM_NATIVE is not an absolute path', {
      given: path,
      allowed: 'the absolute path of a deepgemm_runtime.node file',
    })
  }
  try {
    return { addon: require(path) as NativeAddon, path }
  } catch (cause) {
    throw new NativeError('The addon that DEEPGEMM_NATIVE names could not be loaded', {
      given: `${path} (${firstLine(cause)})`,
      remedy: 'Correct the variable or unset it.',
      cause,
    })
  }
}

function candidates(): string[] {
  const local = fileURLToPath(new URL('../../build/Release/deepgemm_runtime.node', import.meta.url))
  return existsSync(local) ? [local, platformPackage()] : [platformPackage()]
}

function platformPackage(): string {
  return `@deepgemm/runtime-${process.platform}-${process.arch}`
}

function remedy(): string {
  if (process.platform === 'linux' && process.arch === 'x64') {
    return 'Install without --omit=optional, so that the platform package comes along, or build from source: npx deepgemm-build-native.'
  }
  return 'There is no prebuilt addon for this platform; build it from source with a C++20 compiler: npx deepgemm-build-native.'
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] as string
}
