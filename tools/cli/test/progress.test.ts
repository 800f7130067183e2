import { Writable } from 'node:stream'
import pc from 'picocolors'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startProgress } from '../src/output/progress.js'

afterEach(() => {
  vi.useRealTimers()
})

function watched(interactive: boolean, columns = 80) {
  let text = ''
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  Object.assign(stderr, { columns })
  const { signal } = new AbortController()
  const terminal = { stdout: stderr, stderr, interactive, json: false, colors: pc, signal }
  return { terminal, lines: () => text.split('\r').map((line) => line.replace('\u001b[K', '')) }
}

describe('the progress of a job', () => {
  it('is a bar with the time left, which goes on while nothing advances', () => {
    vi.useFakeTimers()
    const { terminal, lines } = watched(true)
    const progress = startProgress(terminal, 'Measuring', 10)
    vi.advanceTimersByTime(2000)
    progress.advance(2, 'q up')
    expect(lines().at(-1)).toBe('████················ 20 %, 8 s left  Measuring: q up')
    vi.advanceTimersByTime(3000)
    expect(lines().at(-1)).toContain('20 %, 5 s left')
    vi.advanceTimersByTime(60_000)
    expect(lines().at(-1)).toContain('20 %, 0 s left')
    progress.finish('Measured')
    expect(lines().at(-1)).toBe('Measured\n')
    const count = lines().length
    vi.advanceTimersByTime(5000)
    expect(lines()).toHaveLength(count)
  })

  it('fits the terminal, whatever names do', () => {
    const { terminal, lines } = watched(true, 40)
    const progress = startProgress(terminal, 'Reading', 1)
    progress.advance(0, `\u001b[2Ja\nname that ${'goes on '.repeat(9)}`)
    progress.fail()
    for (const line of lines()) expect(line.length).toBeLessThan(40)
    expect(lines().join('')).not.toContain('\n')
    expect(lines().at(-1)).toBe('')
  })

  it('is two plain lines where nobody watches', () => {
    const { terminal, lines } = watched(false)
    const progress = startProgress(terminal, 'Reading', 1)
    progress.advance(1)
    progress.finish('Read')
    expect(lines()).toEqual(['Reading ...\nRead\n'])
  })
})
