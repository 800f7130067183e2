import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

const CHILDREN = {
  exit: new URL('./children/exit.mjs', import.meta.url),
  manyWorkers: new URL('./children/many-workers.mjs', import.meta.url),
  workers: new URL('./children/workers.mjs', import.meta.url),
  leak: new URL('./children/leak.mjs', import.meta.url),
  memory: new URL('./children/memory.mjs', import.meta.url),
  threads: new URL('./children/threads.mjs', import.meta.url),
}

let scratch: string

// Child processes and workers load the package as its users do.
beforeAll(async () => {
  // A packed checkout has it compiled, and no compiler.
  if (process.env['DEEPGEMM_PREBUILT'] !== '1') {
    await run(join(root, 'node_modules/.bin/tsc'), ['-b', home])
  }
  scratch = mkdtempSync(join(realpathSync(tmpdir()), 'deepgemm-runtime-'))
}, 300_000)

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true })
})

/** What a child writes to its output; rejects when it crashes or exits with a code. */
async function child(name: keyof typeof CHILDREN, args: string[] = [], flags: string[] = []) {
  const { stdout } = await run(process.execPath, [...flags, fileURLToPath(CHILDREN[name]), ...args])
  return stdout
}

describe('a process with work in flight', () => {
  it.each([
    ['falls off its end', 'busy'],
    ['calls process.exit', 'busy'],
    ['disposes its stream', 'busy'],
    ['awaits its work', 'idle'],
    ['has finished work that nobody was told of', 'idle'],
  ])('ends cleanly when it %s', async (ending, state) => {
    expect(await child('exit', [ending])).toBe(state)
  })

  it('survives workers that are terminated in theirs, and workers that finish', async () => {
    expect(await child('workers')).toBe(`${1024 ** 2} ${1024 ** 2}`)
  }, 120_000)
})

/** Worker threads of the test below; each starts a Node of its own. */
const WORKERS = Number(process.env['DEEPGEMM_TEST_WORKERS'] ?? 60)

describe.runIf(process.platform === 'linux')('a process that starts and ends workers', () => {
  it(`keeps nothing of ${WORKERS} of them`, { timeout: 60_000 + WORKERS * 2000 }, async () => {
    const { before, after } = JSON.parse(
      await child('manyWorkers', [String(WORKERS)], ['--expose-gc']),
    )
    console.info(`${WORKERS} workers:`, before, after)
    expect(after.threads).toBeLessThanOrEqual(before.threads)
    expect(after.files).toBeLessThanOrEqual(before.files)
    // A buffer of the smallest worker has 64 KiB; the C library keeps some of what it was given back.
    expect(after.mebibytes - before.mebibytes).toBeLessThan(60)
  })
})

describe('garbage collection', () => {
  it('frees a forgotten buffer and warns once; disposed buffers go silently', async () => {
    const report = JSON.parse(await child('leak', [], ['--expose-gc']))
    expect(report).toMatchObject({ tidy: 0, before: 2048, after: 0 })
    expect(report.warnings).toHaveLength(1)
    expect(report.warnings[0]).toMatchObject({
      name: 'DeepGemmWarning',
      code: 'DEEPGEMM_UNDISPOSED',
    })
    expect(report.warnings[0].message).toMatch(/"(also )?forgotten" \(1024 bytes\)/)
  })

  it.runIf(process.platform === 'linux')('ends the threads of forgotten devices', async () => {
    const { before, most, after } = JSON.parse(await child('threads', [], ['--expose-gc']))
    expect(most).toBeGreaterThan(before)
    expect(after).toBeLessThanOrEqual(before)
  })

  it.each(['wrapped', 'allocated'])(
    'is not needed for %s memory that is disposed',
    async (kind) => {
      const { grown, live } = JSON.parse(await child('memory', [kind]))
      expect(live).toBe(0)
      // 900 times 4 MiB went through; what remains is the collector's slack.
      expect(grown).toBeLessThan(500)
    },
  )
})

describe('loading the native addon', () => {
  const open = `import('@deepgemm/runtime').then(({ Device }) => Device.open()).then(
    () => console.log('opened'), (error) => console.log(JSON.stringify({ ...error, text: error.message })))`

  /** Opens a device in a fresh process and returns the error, with its message as `text`. */
  async function failure(env: Record<string, string>, cwd = home) {
    const args = ['--input-type=module', '--eval', open]
    const { stdout } = await run(process.execPath, args, {
      cwd,
      env: { ...process.env, NODE_PATH: '', ...env },
    })
    return JSON.parse(stdout)
  }

  it('does not happen before a device is asked for', async () => {
    const code = `await import('@deepgemm/runtime'); console.log('imported')`
    const env = { ...process.env, DEEPGEMM_NATIVE: '/nowhere/addon.node' }
    const args = ['--input-type=module', '--eval', code]
    expect((await run(process.execPath, args, { cwd: home, env })).stdout).toBe('imported\n')
  })

  it('names the file that DEEPGEMM_NATIVE names and what is wrong with it', async () => {
    const missing = await failure({ DEEPGEMM_NATIVE: '/nowhere/addon.node' })
    expect(missing.code).toBe('ERR_NATIVE')
    expect(missing.given).toContain('/nowhere/addon.node (')
    expect(missing.remedy).toBe('Correct the variable or unset it.')
    const text = join(scratch, 'text.node')
    writeFileSync(text, 'not an addon')
    expect((await failure({ DEEPGEMM_NATIVE: text })).given).toContain(`${text} (`)
  })

  it('takes no relative path', async () => {
    const error = await failure({ DEEPGEMM_NATIVE: 'build/addon.node' })
    expect(error).toMatchObject({ code: 'ERR_NATIVE', given: 'build/addon.node' })
    expect(error.allowed).toContain('the absolute path')
  })

  it('says where it looked and what to do when there is no addon at all', async () => {
    const modules = join(scratch, 'node_modules/@deepgemm')
    mkdirSync(join(modules, 'runtime'), { recursive: true })
    symlinkSync(join(root, 'packages/core'), join(modules, 'core'))
    cpSync(join(home, 'dist'), join(modules, 'runtime/dist'), { recursive: true })
    cpSync(join(home, 'package.json'), join(modules, 'runtime/package.json'))
    const error = await failure({ DEEPGEMM_NATIVE: '' }, scratch)
    const platform = `${process.platform}-${process.arch}`
    expect(error.code).toBe('ERR_NATIVE')
    expect(error.text).toContain('could not be loaded: given ')
    expect(error.given).toContain(`${platform}, Node ${process.versions.node}; tried`)
    expect(error.given).toContain(`@deepgemm/runtime-${platform} (Cannot find module`)
    expect(error.remedy).toContain('npx deepgemm-build-native')
  })
})
