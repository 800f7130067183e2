import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { overlayExcludes, overlayPaths, pack } from '../../tools/gpu/pack.mjs'
import { root } from '../lib/workspace.mjs'

const host = mkdtempSync(join(tmpdir(), 'deepgemm-gpu-host-'))

afterAll(() => rmSync(host, { recursive: true, force: true }))

const runThere = (...args) =>
  spawnSync('bash', [join(host, 'tools/gpu/run.sh'), ...args], {
    encoding: 'utf8',
    // As on a host without Node.
    env: { ...process.env, PATH: '/usr/bin:/bin' },
  })

describe('the pack for a GPU host', () => {
  it('holds compiled packages and modules, without the tools of the build', () => {
    expect(overlayPaths()).toContain('packages/core/dist')
    expect(overlayPaths()).toContain('node_modules')
    expect(overlayExcludes()).toContain('--exclude=node_modules/.pnpm/@biomejs*')
  })

  it('runs the command and a test over a bare checkout', async () => {
    const listed = execFileSync(
      'git',
      ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      { cwd: root, encoding: 'utf8' },
    )
    for (const file of listed.split('\0').filter(Boolean)) {
      cpSync(join(root, file), join(host, file), { recursive: true })
    }
    expect(runThere('node', '--version')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/node\.tar\.xz is not here: run 'node tools\/gpu\/pack\.mjs'/),
    })
    await pack(join(host, '.gpu'), 0)
    const head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' })
    const named = runThere('node', '-p', 'process.env.DEEPGEMM_COMMIT').stdout
    expect(named.slice(0, 12)).toBe(head.slice(0, 12))
    const doctor = runThere('node', 'tools/cli/dist/main.js', 'doctor')
    expect(doctor.stdout).toMatch(/Self-test cpu: .* elements correct against float64/)
    expect(doctor.status).toBe(0)
    mkdirSync(join(host, '.cache'), { recursive: true })
    const tests = runThere('vitest', 'run', '--project', 'core', 'test/13-options.test.ts')
    expect(tests.stdout + tests.stderr).toMatch(/passed/)
    expect(tests.status).toBe(0)
  }, 300_000)

  it('explains itself without a command', () => {
    expect(runThere()).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: /) })
  })
})
