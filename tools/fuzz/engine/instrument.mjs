// A module loader's hook: counts statements, functions and branches of the sources under test.

import { fileURLToPath } from 'node:url'
import { createInstrumenter } from 'istanbul-lib-instrument'

const instrumenter = createInstrumenter({ esModules: true, compact: true, preserveComments: false })

/** @type {string[]} */
let folders = []

export function initialize(data) {
  folders = data.folders
}

export async function load(url, context, next) {
  const result = await next(url, context)
  if (result.format !== 'module' || !folders.some((folder) => url.startsWith(folder))) return result
  const source = instrumenter.instrumentSync(String(result.source), fileURLToPath(url))
  return { ...result, source }
}
