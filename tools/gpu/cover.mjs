// Runs every kernel of the library on small shapes, for tools that watch kernels:
//
//   bash tools/gpu/run.sh compute-sanitizer --tool racecheck node tools/gpu/cover.mjs
//
// Fails when a kernel of kernels/cuda was not launched. Needs the packages built. Buffers are zeroed
// before a kernel fills them: initcheck does not see what bulk copies store.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Device } from '../../packages/deepgemm/dist/index.js'
import { CudaDevice } from '../../packages/runtime/dist/cuda/index.js'
import { CudaKernel } from '../../packages/runtime/dist/cuda/kernel.js'
import { coverCasts } from './cover/casts.mjs'
import { coverDense } from './cover/dense.mjs'
import { coverGrouped } from './cover/grouped.mjs'
import { coverLayer } from './cover/layer.mjs'

const sources = new URL('../../kernels/cuda/', import.meta.url).pathname

/** Names of all kernels, read from their sources. */
function kernelNames() {
  return readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.cuh?$/.test(entry.name))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .flatMap((text) => text.split('extern "C" __global__').slice(1))
    .map((text) =>
      /\b(?!__launch_bounds__)([a-z]\w*)\((?:const )?__grid_constant__|\b([a-z]\w*)\(const /.exec(
        text,
      ),
    )
    .flatMap((match) => (match === null ? [] : [match[1] ?? match[2]]))
}

const launched = new Map()
for (const method of ['launch', 'prepare']) {
  const original = CudaKernel.prototype[method]
  CudaKernel.prototype[method] = function (...args) {
    launched.set(this.name, (launched.get(this.name) ?? 0) + 1)
    return original.apply(this, args)
  }
}
CudaDevice.prototype.empty = CudaDevice.prototype.zeros

const device = await Device.open({ kind: 'cuda' })
for (const cover of [coverCasts, coverDense, coverGrouped, coverLayer]) await cover(device)
await device.dispose()

const names = new Set(kernelNames())
const missing = [...names].filter((name) => !launched.has(name))
console.log(`${names.size} kernels, launches that were prepared:`, Object.fromEntries(launched))
if (names.size === 0 || missing.length > 0) {
  console.error(`not launched: ${missing.join(', ') || '(no kernels found)'}`)
  process.exitCode = 1
}
