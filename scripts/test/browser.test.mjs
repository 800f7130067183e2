import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { findBrowser } from '../lib/browser.mjs'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-browser-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the browser that pages are looked at with', () => {
  it('is the one that is named, else a Chromium on the PATH', () => {
    const chromium = join(folder, 'chromium')
    expect(findBrowser({ PATH: folder })).toBeUndefined()
    writeFileSync(chromium, '')
    expect(findBrowser({ PATH: folder })).toBeUndefined()
    chmodSync(chromium, 0o755)
    expect(findBrowser({ PATH: folder })).toBe(chromium)
    expect(findBrowser({ PATH: folder, DEEPGEMM_BROWSER: '/opt/chrome' })).toBe('/opt/chrome')
  })

  it('is not looked for in folders that depend on where a command starts', () => {
    expect(findBrowser({ PATH: `.:bin` })).toBeUndefined()
    expect(findBrowser({})).toBeUndefined()
  })
})
