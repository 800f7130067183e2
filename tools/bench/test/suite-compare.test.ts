import { compareResults, parseResult } from '@deepgemm/bench'
import { describe, expect, it } from 'vitest'
import { madeResult } from './support/results.js'

describe('two results', () => {
  it('are the same when nothing changed', () => {
    const { rows, mean, drift, unmatched } = compareResults(madeResult(), madeResult())
    expect(rows).toHaveLength(6)
    expect(new Set(rows.map(({ verdict }) => verdict))).toEqual(new Set(['within the noise']))
    expect(mean).toBeCloseTo(1)
    expect(drift).toBeCloseTo(1)
    expect(unmatched).toBe(0)
  })

  it.each([
    [1.5, 'slower', 1 / 1.5],
    [0.7, 'faster', 1 / 0.7],
    [1.01, 'within the noise', 1 / 1.01],
  ])('with ours %f times as long are %s', (ours, verdict, mean) => {
    const comparison = compareResults(madeResult(), madeResult({ ours }))
    expect(comparison.rows.every((row) => row.verdict === verdict)).toBe(true)
    expect(comparison.mean).toBeCloseTo(mean)
  })

  it('need more of a difference when the machine itself is another', () => {
    const before = madeResult()
    const after = madeResult({ ours: 1.2, machine: 1.3 })
    const { rows, drift, drifts } = compareResults(before, after)
    expect(drift).toBeCloseTo(1.3)
    expect(drifts.map(({ name }) => name)).toEqual(['reading the weights', 'A peer <b>', 'Floats'])
    expect(rows.every(({ verdict }) => verdict === 'within the noise')).toBe(true)
  })

  it('do not take a peer of another version for unchanged', () => {
    const after = madeResult({ machine: 2, version: '3.0.0' })
    const { drifts } = compareResults(madeResult(), after)
    expect(drifts.map(({ name }) => name)).not.toContain('A peer <b>')
  })

  it('tell of products and machines that only one of them has', () => {
    const after = madeResult({ layers: ['q up', 'other'], rows: [1, 64, 2048] })
    const other = { ...after, meta: { ...after.meta, device: 'Another GPU' } }
    const { rows, unmatched, warnings } = compareResults(madeResult(), other)
    expect(rows).toHaveLength(4)
    expect(unmatched).toBe(4)
    expect(warnings).toEqual(['device differs: A GPU, then Another GPU'])
    const none = compareResults(madeResult({ rows: [1] }), madeResult({ rows: [2] }))
    expect(none).toMatchObject({ mean: null, rows: [], unmatched: 4 })
  })
})

describe('a result that is read', () => {
  const text = (change: object) => JSON.stringify({ ...madeResult(), ...change })

  it('is what was written', () => {
    expect(parseResult(text({}), 'a.json')).toEqual(madeResult())
  })

  it.each([
    ['{', /no JSON: given a\.json/],
    ['[1]', /no result of the benchmark: given a\.json; allowed JSON that deepgemm bench/],
    ['{"format":"other/9"}', /given a\.json, format other\/9/],
    [text({ meta: {} }), /damaged: given a\.json: it has no meta\.device/],
    [text({ contestants: {} }), /no contestant ours/],
    [text({ ceilings: null }), /no ceilings/],
    [text({ ceilings: { read_gbs: [], peaks: 1 } }), /no ceilings/],
    [text({ rows: 7 }), /no rows/],
    [text({ rows: [{}] }), /row 1 is incomplete/],
    [
      text({ rows: [{ ...madeResult().rows[0], figures: { ours: { us: [], error: 0 } } }] }),
      /row 1 is incomplete/,
    ],
    [text({ rows: [{ ...madeResult().rows[0], m: 0.5 }] }), /row 1 is incomplete/],
    [text({ rows: [{ ...madeResult().rows[0], problem: 'magic' }] }), /row 1 is incomplete/],
  ])('is checked before anything leans on it (%#)', (broken, message) => {
    expect(() => parseResult(broken, 'a.json')).toThrow(message)
  })
})
