import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compilerArgs, firstError, isStale } from '../src/native/compile.js'
import { LineProcess, parseAnswer } from '../src/native/line-process.js'
import { compileMachine, Machine } from '../src/native/machine.js'
import { versionText } from '../src/peers/onednn.js'
import { matMulModel } from '../src/peers/onnx-model.js'
import { randomCodes, uniformArray } from '../src/random.js'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A program in JavaScript that speaks the protocol. */
function lineProcess(script: string): LineProcess {
  return new LineProcess('The test program', process.execPath, ['-e', script])
}

const ECHO = `require('node:readline').createInterface(process.stdin)
  .on('line', (line) => console.log(line))`

describe('programs that answer lines', () => {
  it('answer in order', async () => {
    const program = lineProcess(ECHO)
    expect(await Promise.all([program.ask('ok 1'), program.ask('ok 2.5e-3')])).toEqual([1, 0.0025])
    await expect(program.ask('error no such thing')).rejects.toThrow(
      'The test program failed: given no such thing',
    )
    program.close()
    await expect(program.ask('ok 1')).rejects.toThrow('closed')
  })

  it('say when they end early', async () => {
    await expect(lineProcess('process.exit(3)').ask('ok 1')).rejects.toThrow('ended with 3')
    const missing = new LineProcess('The missing program', join(folder, 'missing'), [])
    await expect(missing.ask('ok 1')).rejects.toThrow('did not start')
  })

  it('must answer with a number', () => {
    expect(parseAnswer('It', 'ok 1e9')).toBe(1e9)
    expect(() => parseAnswer('It', 'ok many')).toThrow('It failed: given the answer "ok many"')
    expect(() => parseAnswer('It', '')).toThrow('It failed')
  })
})

describe('the machine program', () => {
  it('measures this machine with the kernels of the addon', async () => {
    const machine = new Machine(await compileMachine(), 1)
    try {
      expect(await machine.copyBandwidth(1 << 20)).toBeGreaterThan(0)
      const seconds = await machine.gemmSeconds({ m: 8, n: 32, k: 128 }, 'baseline', 5)
      expect(seconds).toBeGreaterThan(0)
      await expect(machine.peak('abacus')).rejects.toThrow('instruction set abacus')
    } finally {
      machine.close()
    }
  }, 120_000)
})

describe('compiling', () => {
  it('happens again when an input is newer than the program', () => {
    const [source, output] = [join(folder, 'source'), join(folder, 'output')]
    writeFileSync(source, '')
    expect(isStale(output, [source])).toBe(true)
    writeFileSync(output, '')
    utimesSync(source, 1000, 1000)
    expect(isStale(output, [source])).toBe(false)
    utimesSync(output, 500, 500)
    expect(isStale(output, [source])).toBe(true)
  })

  it('names libraries after the sources that need them', () => {
    const program = { name: 'p', inputs: ['p.cpp'], includes: ['inc'], libraries: ['dnnl'] }
    const args = compilerArgs(program, 'out')
    expect(args.indexOf('-ldnnl')).toBeGreaterThan(args.indexOf('p.cpp'))
    expect(args).toContain('inc')
    expect(args.slice(-2)).toEqual(['-o', 'out'])
  })

  it('shows the line that says what is wrong', () => {
    expect(firstError('In file x:\nx.cpp:1:2: error: no\n  int')).toBe('x.cpp:1:2: error: no')
    expect(firstError('\n')).toBe('no output')
  })
})

describe('operands', () => {
  it('are finite e4m3 codes below 2, and never the same byte throughout', () => {
    const codes = randomCodes(1001, 1)
    expect(codes).toHaveLength(1001)
    expect(codes.every((code) => (code & 0x7f) < 0x40)).toBe(true)
    expect(new Set(codes).size).toBeGreaterThan(100)
  })

  it('are numbers from -1 to 1', () => {
    const values = uniformArray(10_000, 2)
    expect(values.every((value) => value >= -1 && value <= 1)).toBe(true)
    expect(Math.abs(values.reduce((sum, value) => sum + value, 0))).toBeLessThan(300)
  })
})

describe('peers', () => {
  it('get a model with the weights as a constant', () => {
    const model = matMulModel({ k: 2, n: 300, weights: Uint8Array.of(1, 2, 3) })
    expect(Buffer.from(model).toString('hex')).toMatchInlineSnapshot(
      `"08083a590a110a01610a016212016422064d61744d756c12066d61746d756c2a0f080208ac0210014201624a030102035a140a0161120f0a0d080112090a0312016d0a02080262150a016412100a0e0801120a0a0312016d0a0308ac0242040a00100d"`,
    )
  })

  it('have versions as texts', () => {
    expect([20603, 30100].map(versionText)).toEqual(['2.6.3', '3.1.0'])
  })
})
