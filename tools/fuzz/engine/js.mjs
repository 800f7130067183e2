// Runs one JavaScript target under libFuzzer: node js.mjs <addon> <target> <packages> [libFuzzer …]

import { createRequire, register } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [addonPath, targetPath, packages, ...args] = process.argv.slice(2)

register('./instrument.mjs', import.meta.url, {
  data: { folders: [`${pathToFileURL(join(packages, 'safetensors', 'dist')).href}/`] },
})

const { modules, target } = await import(pathToFileURL(targetPath).href)
const load = (path) => import(pathToFileURL(join(packages, path)).href)
const fuzz = target(Object.assign({}, ...(await Promise.all(modules.map(load)))))

/** Every counter object of every instrumented file. */
function counterObjects() {
  const files = Object.values(globalThis.__coverage__ ?? {})
  if (files.length === 0) throw new Error('nothing that is instrumented was loaded')
  return files.flatMap(({ s, f, b }) => [s, f, ...Object.values(b)])
}

const objects = counterObjects()
const sizes = objects.map((object) => Object.keys(object).length)
const counters = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))

/** Hands the counts of one run to the engine, and clears them for the next. */
function collect() {
  let at = 0
  for (let i = 0; i < objects.length; i++) {
    const [object, size] = [objects[i], sizes[i]]
    for (let key = 0; key < size; key++) {
      const count = object[key]
      counters[at++] = Math.min(count, 255)
      object[key] = 0
    }
  }
}

collect()
createRequire(import.meta.url)(addonPath).run(
  (bytes) => {
    fuzz(bytes)
    collect()
  },
  counters,
  args,
)
