import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { resultHtml } from '@deepgemm/bench'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BROWSER_OPTIONS, findBrowser } from '../../../scripts/lib/browser.mjs'
import { madeResult } from './support/results.js'

const home = fileURLToPath(new URL('..', import.meta.url))
/** Pictures of the page, to be looked at. */
const shots = fileURLToPath(new URL('../.cache/report', import.meta.url))
const executablePath = findBrowser()

const VIEWS = [
  { name: 'desktop, light', width: 1280, colorScheme: 'light' },
  { name: 'desktop, dark', width: 1280, colorScheme: 'dark' },
  { name: 'phone, light', width: 390, colorScheme: 'light' },
  { name: 'phone, dark', width: 390, colorScheme: 'dark' },
] as const

type Watched = { readonly page: Page; readonly complaints: string[]; readonly requests: string[] }

describe.runIf(executablePath)('the page of a result in a browser', () => {
  let browser: Browser
  let address: string
  beforeAll(async () => {
    execFileSync(process.execPath, ['build-page.mjs'], { cwd: home })
    mkdirSync(shots, { recursive: true })
    writeFileSync(`${shots}/report.html`, await resultHtml(madeResult()))
    address = pathToFileURL(`${shots}/report.html`).href
    browser = await chromium.launch({
      ...BROWSER_OPTIONS,
      executablePath: executablePath as string,
    })
  }, 120_000)
  afterAll(async () => browser?.close())

  async function open(view: (typeof VIEWS)[number]): Promise<Watched> {
    const { width, colorScheme } = view
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
    const [complaints, requests]: [string[], string[]] = [[], []]
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => requests.push(request.url()))
    await page.goto(address)
    await page.waitForSelector('#accuracy svg')
    return { page, complaints, requests }
  }

  it.each(VIEWS)('draws everything without a word or a request: $name', async (view) => {
    const { page, complaints, requests } = await open(view)
    expect(await page.locator('#roofline svg circle').count()).toBe(12) // those with the same bytes
    expect(await page.locator('#speedups figure').count()).toBe(2) // one per layer
    expect(await page.locator('#speedups [aria-label="bar"] rect').count()).toBe(12)
    expect(await page.locator('#accuracy svg circle').count()).toBe(18)
    expect(await page.locator('table').first().isVisible()).toBe(true)
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0)
    expect(complaints).toEqual([])
    expect(requests).toEqual([address])
    await page.screenshot({ path: `${shots}/${view.name}.png`, fullPage: true })
    await page.close()
  })

  it('has paper and ink of the colour scheme', async () => {
    const inks = []
    for (const view of VIEWS.slice(0, 2)) {
      const { page } = await open(view)
      inks.push(
        await page.evaluate(
          '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector("#roofline text")).fill]',
        ),
      )
      await page.close()
    }
    expect(inks).toEqual([
      ['rgb(255, 255, 255)', 'rgb(26, 32, 41)'],
      ['rgb(18, 22, 28)', 'rgb(231, 234, 239)'],
    ])
  })

  it.each([
    ['#roofline svg circle', /ours|A peer <b>\n.*TFLOP\/s.*% of the roof/s],
    ['#speedups [aria-label="bar"] rect', /× as fast as .*ours .*µs, theirs .*µs/s],
    ['#accuracy svg circle', /storage .*e-4, arithmetic .*e-6/s],
  ])('tells the numbers of what the mouse is over: %s', async (selector, numbers) => {
    const { page } = await open(VIEWS[0])
    const mark = page.locator(selector).first()
    await mark.scrollIntoViewIfNeeded()
    await mark.hover({ force: true })
    const tip = page.locator('[aria-label="tip"] text').first()
    await tip.waitFor()
    expect(
      await tip.evaluate((text) => [...text.children].map((line) => line.textContent).join('\n')),
    ).toMatch(numbers)
    await page.screenshot({ path: `${shots}/hover ${selector.slice(1, 6)}.png` })
    await page.close()
  })

  it('prints dark ink on white paper, on whole pages', async () => {
    const { page } = await open(VIEWS[1])
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(
      'rgb(255, 255, 255)',
    )
    const pdf = await page.pdf({ format: 'A4', path: `${shots}/report.pdf` })
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    await page.close()
  })

  it('draws anew when a phone is turned', async () => {
    const { page } = await open(VIEWS[2])
    await page.setViewportSize({ width: 844, height: 390 })
    // Not `waitForFunction`: it evaluates text in the page, which the page's own policy forbids.
    const width = async () => (await page.locator('#roofline svg').boundingBox())?.width
    await expect.poll(width).toBeGreaterThan(700)
    await page.close()
  })
})

describe('the page of a result without its script', () => {
  it('has every number in a table', async () => {
    const html = await resultHtml(madeResult())
    expect(html.match(/<tr>/g)?.length).toBeGreaterThan(10)
    expect(html).toContain('A peer &lt;b&gt;')
    expect(html).not.toContain('A peer <b>')
  })
})
