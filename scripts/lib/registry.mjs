// A package registry in this process: takes what `npm publish` sends, gives it to `npm install`, and
// sends whoever asks for anything else on to the registry that npm is set up with.

import { createServer } from 'node:http'
import { must } from './run.mjs'

/** Most bytes of one publication. */
const MAX_BYTES = 64 * 2 ** 20

async function bodyOf(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error('the publication is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export class LocalRegistry {
  /** @type {Map<string, { document: any, tarballs: Map<string, Buffer> }>} */
  #packages = new Map()
  #server
  #upstream

  constructor(upstream) {
    this.#upstream = upstream.replace(/\/$/, '')
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        response.writeHead(500).end(error.message)
      })
    })
  }

  /** Starts one on a free port of this machine. */
  static async start() {
    const upstream = (await must('npm', ['config', 'get', 'registry'])).trim().split('\n').at(-1)
    const registry = new LocalRegistry(upstream)
    await new Promise((resolve) => registry.#server.listen(0, '127.0.0.1', resolve))
    return registry
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  /** Names of what was published. */
  get names() {
    return [...this.#packages.keys()].sort()
  }

  /** Options of npm that make it use this registry. */
  get options() {
    const host = this.url.replace('http:', '')
    return [`--registry=${this.url}`, `--${host}/:_authToken=local`]
  }

  async stop() {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request, response) {
    const path = decodeURIComponent(new URL(request.url, this.url).pathname).slice(1)
    if (request.method === 'PUT') return this.#publish(path, await bodyOf(request), response)
    const [name, file] = path.split('/-/')
    const known = this.#packages.get(name)
    if (known === undefined) {
      response.writeHead(307, { location: this.#upstream + request.url }).end()
    } else if (file === undefined) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(known.document))
    } else {
      response.end(known.tarballs.get(file))
    }
  }

  #publish(name, body, response) {
    const sent = JSON.parse(body.toString('utf8'))
    if (sent.name !== name || this.#packages.has(name)) {
      response.writeHead(409).end('published already')
      return
    }
    const tarballs = new Map()
    for (const [file, { data }] of Object.entries(sent._attachments)) {
      tarballs.set(file.split('/').at(-1), Buffer.from(data, 'base64'))
    }
    for (const manifest of Object.values(sent.versions)) {
      const file = manifest.dist.tarball.split('/').at(-1)
      manifest.dist.tarball = `${this.url}/${name}/-/${file}`
    }
    const { versions, 'dist-tags': tags } = sent
    this.#packages.set(name, { document: { name, versions, 'dist-tags': tags }, tarballs })
    response.writeHead(201).end('{}')
  }
}
