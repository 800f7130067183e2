import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NativeError } from 'deepgemm'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { gpuCase } from '../src/gpu/cases.js'
import { JsonProcess, type JsonProcessOptions } from '../src/gpu/json-process.js'
import { findPython, GpuPeers } from '../src/gpu/peers.js'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-peers-'))
afterAll(() => rmSync(folder, { recursive: true }))

const started: { close(): void }[] = []
afterEach(() => {
  for (const item of started.splice(0)) item.close()
})

function fake(manner = '', timeoutMs = 20_000): JsonProcessOptions {
  const file = fileURLToPath(new URL('./support/fake-peers.mjs', import.meta.url))
  return { subject: 'The fake', file: process.execPath, args: [file, manner], timeoutMs }
}

async function start(manner?: string, timeoutMs?: number): Promise<GpuPeers> {
  const peers = await GpuPeers.start(fake(manner, timeoutMs), ['deepgemm', 'cublaslt'])
  started.push(peers)
  return peers
}

describe('peers in another process', () => {
  it('tell which are there, and why the others are not', async () => {
    const peers = await start()
    expect(peers.versions).toEqual({ deepgemm: '9.9' })
    expect(peers.missing).toEqual(['cublaslt: ImportError: no such module'])
    expect(await peers.copyBandwidth()).toBe(3000)
  })

  it('measure what they have prepared, until the next is', async () => {
    const peers = await start()
    const [first, ...others] = await peers.prepare('prepare', gpuCase(1, 2112, 7168))
    expect([first?.name, others]).toEqual(['deepgemm', []])
    expect(await first?.times(3)).toEqual([20, 21, 22])
    const [second] = await peers.prepare('prepare', gpuCase(1, 4096, 7168))
    expect(await first?.times(3)).toEqual([])
    expect(await second?.times(1)).toEqual([20])
  })

  it('leave out what they refuse and what they get wrong, and say so', async () => {
    const peers = await start()
    const grouped = { problem: 'masked', groups: 4, expected_m: 256, m: 3, n: 8, k: 16 }
    expect(await peers.prepare('prepare', gpuCase(2, 8, 16))).toEqual([])
    expect(await peers.prepare('prepare_grouped', grouped)).toEqual([])
    expect(peers.missing.slice(1)).toEqual([
      'deepgemm, dense 2x8x16: ValueError: not two',
      'deepgemm, masked 4x256x8x16: its error is 0.5',
    ])
  })

  it.each([
    ['ends', /ended with 3/],
    ['silent', /no answer to measure in 3 s/],
    ['babbles', /the answer "Compiling/],
  ])('are missing from then on when their process %s', async (manner, reason) => {
    const peers = await start(manner, 3000)
    const [peer] = await peers.prepare('prepare', gpuCase(1, 8, 16))
    expect(await peer?.times(1)).toEqual([])
    expect(await peer?.times(1)).toEqual([])
    expect(await peers.prepare('prepare', gpuCase(1, 8, 16))).toEqual([])
    expect(peers.missing).toHaveLength(2)
    expect(peers.missing[1]).toMatch(reason)
  })

  it('are missing when their program does not start', async () => {
    const file = join(folder, 'nothing')
    const peers = await GpuPeers.start({ ...fake(), file }, ['deepgemm'])
    expect(peers.missing[0]).toMatch(/did not start/)
    expect(await peers.copyBandwidth()).toBeNull()
  })
})

describe('a process that answers in JSON', () => {
  it('rejects with what an answer calls an error, and goes on', async () => {
    const child = new JsonProcess(fake())
    started.push(child)
    await expect(child.ask('dance')).rejects.toThrow(/The fake failed: given no dance/)
    expect(await child.ask('copy')).toEqual({ gbs: 3000.4 })
  })

  it('rejects everything once it is closed', async () => {
    const child = new JsonProcess(fake('silent'))
    const waiting = child.ask('measure')
    child.close()
    await expect(waiting).rejects.toThrow(NativeError)
    await expect(child.ask('copy')).rejects.toThrow(/it was closed/)
  })
})

describe('the search for Python', () => {
  it('takes the first that can be run, and never a relative folder', () => {
    const [plain, good] = ['plain', 'good'].map((name) => join(folder, name)) as [string, string]
    for (const place of [plain, good]) {
      mkdirSync(place)
      writeFileSync(join(place, 'python3'), '')
    }
    chmodSync(join(good, 'python3'), 0o755)
    expect(findPython(['bin', '', plain, good].join(delimiter))).toBe(join(good, 'python3'))
    expect(findPython([plain, 'good'].join(delimiter))).toBeUndefined()
    expect(findPython(undefined)).toBeUndefined()
  })
})
