// The site in a browser, on a desktop and on a phone: every page of a few kinds is looked at.

import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { BROWSER_OPTIONS } from './browser.mjs'
import { root } from './workspace.mjs'

const PAGES = [
  '',
  'start',
  'concepts/scales',
  'guides/benchmark',
  'performance',
  'results',
  'api/dense',
]
const VIEWS = [
  { name: 'desktop', width: 1280, height: 900 },
  { name: 'phone', width: 390, height: 844 },
]
const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
}

/** Serves a folder as a static host does: addresses without `.html`. */
async function serve(folder) {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://site').pathname)
    const file = [path, `${path}.html`, `${path}index.html`]
      .map((name) => join(folder, name))
      .find((name) => name.startsWith(folder) && existsSync(name) && statSync(name).isFile())
    if (file === undefined) return response.writeHead(404).end()
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream')
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${server.address().port}/` }
}

/** Playwright is a dependency of the package whose reports are looked at. */
function playwright() {
  return createRequire(join(root, 'tools', 'bench', 'package.json'))('playwright-core')
}

/**
 * @param {string} folder the built site
 * @param {string} executablePath the browser
 * @returns {Promise<string[]>} problems; pictures lie in docs/site/.cache/looks
 */
export async function lookAtSite(folder, executablePath) {
  const shots = join(root, 'docs', 'site', '.cache', 'looks')
  mkdirSync(shots, { recursive: true })
  const { server, url } = await serve(folder)
  const browser = await playwright().chromium.launch({ ...BROWSER_OPTIONS, executablePath })
  const problems = []
  try {
    for (const view of VIEWS) {
      for (const path of PAGES) problems.push(...(await lookAt(browser, url, path, view, shots)))
    }
  } finally {
    await browser.close()
    server.close()
  }
  return problems
}

async function lookAt(browser, url, path, { name, width, height }, shots) {
  const page = await browser.newPage({ viewport: { width, height } })
  const where = `${path || 'the first page'} on a ${name}`
  const problems = []
  page.on('pageerror', (error) => problems.push(`${where}: ${error}`))
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
      problems.push(`${where} asks for ${request.url()}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${where}: ${response.status()} ${response.url()}`)
  })
  try {
    await page.goto(url + path, { waitUntil: 'networkidle' })
    const { title, overflow, broken } = await page.evaluate(looked)
    if (title === '') problems.push(`${where} has no heading`)
    if (overflow > 0) problems.push(`${where} is ${overflow} px wider than the window`)
    if (broken > 0) problems.push(`${where} has ${broken} pictures that do not show`)
    const file = `${path.replaceAll('/', '-') || 'index'} ${name}.png`
    await page.screenshot({ path: join(shots, file), fullPage: path !== 'results' })
  } finally {
    await page.close()
  }
  return problems
}

/** In the page. */
function looked() {
  const { document, innerWidth } = globalThis
  return {
    title: document.querySelector('h1')?.textContent ?? '',
    overflow: document.documentElement.scrollWidth - innerWidth,
    broken: [...document.images].filter((image) => image.naturalWidth === 0).length,
  }
}
