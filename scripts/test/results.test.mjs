import { describe, expect, it } from 'vitest'
import { section } from '../../docs/site/results.mjs'

describe('the page of results', () => {
  it('has the machine, the command and every row of a measurement', () => {
    const meta = { device: 'X', load_before: [1, 2], peers: { other: '1.0' } }
    const rows = [
      { m: 1, ours_gflops: 21.32456 },
      { m: 2, layout: 'a|b' },
    ]
    expect(section('cpu', { meta, rows, note: 'left out' })).toBe(
      [
        '## cpu\n',
        '- device: X\n- load before: 1, 2\n- peers: other 1.0\n',
        '### rows\n',
        '| m | ours gflops | layout |\n| --- | --- | --- |\n| 1 | 21.32 |  |\n| 2 |  | a\\|b |',
      ].join('\n'),
    )
  })

  it('leads to the page of a result that has one', () => {
    const meta = { device: 'X', set: 'a model', command: 'deepgemm bench' }
    expect(section('x', { format: 'deepgemm-bench/1', meta, rows: [{ m: 1 }] })).toBe(
      '## x\n\na model on X: [pictures and figures](./benchmarks/x.html), by `deepgemm bench`.',
    )
  })
})
