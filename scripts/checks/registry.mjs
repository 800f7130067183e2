// What users do: every package is published to a registry and installed from it into an empty folder,
// on a machine that has Node and npm and no compiler; it imports, and nothing else came along.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { LocalRegistry } from '../lib/registry.mjs'
import { PlainError } from '../lib/report.mjs'
import { must, run } from '../lib/run.mjs'
import { packAll } from '../lib/tarballs.mjs'
import { closure, packages } from '../lib/workspace.mjs'

export const title = 'packages install from a registry, alone and without a compiler'

const FACADE = 'deepgemm'

const PROGRAM = `import { Device, fp8GemmNT, quantize } from 'deepgemm'
await using device = await Device.open()
const [m, n, k] = [4, 256, 512]
const x = { data: new Float32Array(m * k).fill(0.5), shape: [m, k] }
const w = { data: new Float32Array(n * k).fill(2), shape: [n, k] }
using a = await quantize(device, x, '1x128')
using b = await quantize(device, w, '128x128')
using d = await fp8GemmNT(a, b)
const first = (await d.toFloat32Array())[0]
if (first !== 512) throw new Error('512 is right, not ' + first)
`

/** Published, but not to be imported. */
const ADDON_ONLY = '@deepgemm/runtime-linux-x64'

/** Folders of packages below a node_modules, scoped ones included. */
function packagesIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((item) => item.isDirectory() && !item.name.startsWith('.'))
    .flatMap(({ name }) =>
      name.startsWith('@')
        ? readdirSync(join(folder, name)).map((each) => `${name}/${each}`)
        : [name],
    )
    .sort()
}

function bytesOf(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, { size }) => sum + size, 0)
}

/** A PATH with Node and npm on it, and nothing else. */
function bareEnvironment(folder) {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const folders = process.env.PATH.split(delimiter)
  const npm = folders.map((path) => join(path, 'npm')).find((path) => existsSync(path))
  if (npm === undefined) throw new PlainError('npm is not in the PATH')
  symlinkSync(process.execPath, join(bin, 'node'))
  symlinkSync(npm, join(bin, 'npm'))
  const { CXX: _, CC: __, ...rest } = process.env
  return {
    ...rest,
    PATH: bin,
    npm_config_cache: join(folder, 'cache'),
    npm_config_update_notifier: 'false',
  }
}

/** Programs may use `using`, which older versions of Node do not know. */
async function compiled(folder, text) {
  const source = join(folder, 'program.ts')
  writeFileSync(source, text)
  const target = ['--target', 'es2022', '--module', 'nodenext', '--lib', 'es2023,esnext.disposable']
  await must('tsc', ['--ignoreConfig', '--skipLibCheck', ...target, source], { cwd: folder })
  return join(folder, 'program.js')
}

async function installAlone(name, { registry, all, folder, env }) {
  const project = mkdtempSync(join(folder, 'project-'))
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  const quiet = ['--no-audit', '--no-fund']
  await must('npm', ['install', ...registry.options, ...quiet, name], { cwd: project, env })
  const modules = join(project, 'node_modules')
  const ours = packagesIn(modules).filter((each) => registry.names.includes(each))
  const expected = [...closure(name, all)].sort()
  const problems =
    ours.join() === expected.join() ? [] : [`${name} brought ${ours}; expected ${expected}`]
  if (name !== ADDON_ONLY) {
    const args = ['--input-type=module', '-e', `await import('${name}')`]
    const { code, output } = await run('node', args, { cwd: project, env })
    if (code !== 0) problems.push(`import ${name}\n${output}`)
  }
  if (name === FACADE) {
    const script = await compiled(project, PROGRAM)
    const { code, output } = await run('node', [script], { cwd: project, env })
    if (code !== 0) problems.push(`the program of ten lines\n${output}`)
  }
  return { problems, bytes: bytesOf(modules), others: packagesIn(modules).length - ours.length }
}

export async function check() {
  const tarballs = await packAll()
  const registry = await LocalRegistry.start()
  const folder = mkdtempSync(join(tmpdir(), 'deepgemm-registry-'))
  try {
    const env = bareEnvironment(folder)
    for (const tarball of tarballs.values()) {
      const args = [
        'publish',
        tarball,
        ...registry.options,
        '--provenance=false',
        '--access=public',
      ]
      await must('npm', args, { cwd: dirname(tarball), env })
    }
    const all = packages()
    const problems = []
    const sizes = []
    for (const name of tarballs.keys()) {
      const result = await installAlone(name, { registry, all, folder, env })
      problems.push(...result.problems)
      const others = result.others === 0 ? '' : ` and ${result.others} others`
      sizes.push(`${name} ${(result.bytes / 1e6).toFixed(1)} MB${others}`)
    }
    return { problems, note: sizes.join(', ') }
  } finally {
    await registry.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
