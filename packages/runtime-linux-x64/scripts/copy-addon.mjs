// Copies the addon that @deepgemm/runtime built into this package, on the platform it is for.

import { copyFileSync } from 'node:fs'

if (process.platform === 'linux' && process.arch === 'x64') {
  const built = new URL('../../runtime/build/Release/deepgemm_runtime.node', import.meta.url)
  copyFileSync(built, new URL('../deepgemm_runtime.node', import.meta.url))
}
