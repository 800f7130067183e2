// What of the CUDA sources can be checked without a GPU: generated text, and the arithmetic that is
// plain C++, built and run on the host.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cudaSources, wgmmaColumns, wgmmaInstructions } from '@deepgemm/kernels'
import { afterAll, describe, expect, it } from 'vitest'

const here = dirname(fileURLToPath(import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'deepgemm-host-'))
afterAll(() => rmSync(folder, { recursive: true }))

const program = join(folder, 'host_test')
const source = join(here, '..', 'cuda', 'test', 'host_test.cpp')
// The compiler sees .cuh as C++ only inside a .cpp; nothing of it is CUDA there.
const flags = ['-std=c++20', '-O1', '-Wall', '-Wextra', '-Werror', '-I', cudaSources]
execFileSync(process.env['CXX'] ?? 'c++', [...flags, '-o', program, source])
const { status, stdout } = spawnSync(program, { encoding: 'utf8' })
const cases = [...stdout.matchAll(/^(ok {2}|FAIL) (.+)$/gm)]

describe('CUDA sources on the host', () => {
  it.each(cases.map(([, state, name]) => ({ state, name })))('$name', ({ state }) => {
    expect(state).toBe('ok  ')
  })

  it('all run to their end', () => {
    expect(cases.length).toBeGreaterThan(5)
    expect(status, stdout).toBe(0)
  })
})

describe('the wgmma instructions', () => {
  it('are in the sources as the generator writes them', () => {
    const written = readFileSync(join(cudaSources, 'wgmma', 'instructions.cuh'), 'utf8')
    expect(written).toBe(wgmmaInstructions())
  })

  it('exist for every width and name every register once', () => {
    const text = wgmmaInstructions()
    for (const columns of wgmmaColumns) {
      const start = text.indexOf(`struct Wgmma<${columns}> {`)
      const body = text.slice(start, text.indexOf('};', text.indexOf('asm volatile', start)))
      expect(body).toContain(`m64n${columns}k32.f32.e4m3.e4m3`)
      const outputs = [...body.matchAll(/"\+f"\(d\[(\d+)\]\)/g)].map(([, i]) => Number(i))
      expect(outputs).toEqual(Array.from({ length: columns / 2 }, (_, i) => i))
      const operands = new Set([...body.matchAll(/%(\d+)/g)].map(([, i]) => Number(i)))
      expect(operands.size).toBe(columns / 2 + 3)
    }
  })
})
