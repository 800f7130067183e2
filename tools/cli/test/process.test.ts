import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildCli, MAIN, scratchFolder, spawnDeepgemm, writeZeros } from './helpers.js'

beforeAll(buildCli, 120_000)

describe('the process of the command', () => {
  it('explains its commands', async () => {
    const { code, stdout } = await spawnDeepgemm(['--help'])
    expect(code).toBe(0)
    for (const command of [
      'quantize',
      'dequantize',
      'verify',
      'generate',
      'gemm',
      'doctor',
      'demo',
      'cache warm',
    ]) {
      expect(stdout).toContain(command)
    }
  })

  it('shows its help and fails without a command', async () => {
    const { code, stdout } = await spawnDeepgemm([])
    expect(code).toBe(2)
    expect(stdout).toContain('Usage')
  })

  it('tells its version', async () => {
    expect((await spawnDeepgemm(['--version'])).stdout).toMatch(/\d+\.\d+\.\d+/)
  })

  it('ends with the exit code and the sentence of what went wrong', async () => {
    const { code, stderr } = await spawnDeepgemm(['verify', '/nowhere', '/nowhere'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^deepgemm: .*\/nowhere/)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('tells what is wrong with the addon, and what to do', async () => {
    const env = { DEEPGEMM_NATIVE: '/nowhere/addon.node' }
    const { code, stdout } = await spawnDeepgemm(['doctor', '--json'], env)
    expect(code).toBe(1)
    const { healthy, findings } = JSON.parse(stdout)
    expect(healthy).toBe(false)
    expect(findings).toContainEqual({
      name: 'Native addon',
      state: 'problem',
      detail: expect.stringMatching(/DEEPGEMM_NATIVE.*\/nowhere\/addon\.node/),
      remedy: expect.stringMatching(/unset it/),
    })
  })

  it('is quiet when the reader of its output goes away', async () => {
    const child = spawn(process.execPath, [MAIN, 'doctor'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (part) => {
      stderr += part
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
    expect(stderr).toBe('')
  })

  it.runIf(existsSync('/dev/full'))('says when its output cannot be written', async () => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [MAIN, 'doctor'], { stdio: ['ignore', full, 'pipe'] })
    let stderr = ''
    child.stderr?.on('data', (part) => {
      stderr += part
    })
    const [code] = await once(child, 'close')
    closeSync(full)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^deepgemm: The output could not be written: ENOSPC/)
  })

  it('leaves nothing behind after Ctrl-C', async () => {
    using folder = scratchFolder()
    await writeZeros(folder.in('bf16'), [16384, 4096])
    const args = [MAIN, 'quantize', folder.in('bf16'), '-o', folder.in('fp8')]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.once('data', () => child.kill('SIGINT'))
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    expect(folder.list()).toEqual(['bf16'])
  })
})
