// The routes: POST /v1/layer takes bf16 rows and answers with as many, GET /stats and GET /health.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { bf16, type MoeLayer } from 'deepgemm'
import { Batcher, BusyError, ClosedError } from './batcher.js'
import { Stats } from './stats.js'

/** Bytes of a bf16. */
const WIDTH = 2
/** A client that sends no more for so long is hung up on. */
const REQUEST_TIMEOUT_MS = 30_000

export type ServiceOptions = {
  /** Rows that may wait. Default: eight batches. */
  readonly maxWaiting?: number
}

/** A service over one layer; the layer stays the caller's. */
export class Service {
  readonly server: Server
  readonly stats: Stats = new Stats()
  readonly #layer: MoeLayer
  readonly #batcher: Batcher

  constructor(layer: MoeLayer, options: ServiceOptions = {}) {
    const { maxTokens, extents } = layer
    this.#layer = layer
    this.#batcher = new Batcher({
      width: extents.hidden,
      maxTokens,
      maxWaiting: options.maxWaiting ?? 8 * maxTokens,
      compute: (rows, tokens) => this.#compute(rows, tokens),
      onBatch: ({ tokens, milliseconds }) => this.stats.computed(tokens, milliseconds),
    })
    this.server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.stats.failed()
        fail(response, error)
      })
    })
    this.server.requestTimeout = REQUEST_TIMEOUT_MS
  }

  /** Listens, on a free port unless one is given. Resolves with the port. */
  listen(port = 0, host = '127.0.0.1'): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(port, host, () => {
        const address = this.server.address()
        resolve(address !== null && typeof address === 'object' ? address.port : port)
      })
    })
  }

  /** Answers what was asked, then ends. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    await this.#batcher.close()
    this.server.closeIdleConnections()
    await closed
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url?.split('?', 1)[0]}`
    if (route === 'POST /v1/layer') await this.#answer(request, response)
    else if (route === 'GET /stats') {
      sendJson(response, 200, { ...this.stats.report(), waitingTokens: this.#batcher.waiting })
    } else if (route === 'GET /health') {
      const { extents, maxTokens, device } = this.#layer
      sendJson(response, 200, { device: device.kind, ...extents, maxTokens })
    } else throw new HttpError(404, `There is no ${route}; POST /v1/layer, GET /stats, GET /health`)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begun = performance.now()
    const { extents, maxTokens } = this.#layer
    const rowBytes = WIDTH * extents.hidden
    const body = await readBody(request, maxTokens * rowBytes)
    if (body.byteLength % rowBytes !== 0) {
      const given = `${body.byteLength} bytes`
      throw new HttpError(
        400,
        `Send rows of ${extents.hidden} bf16, ${rowBytes} bytes each; ${given}`,
      )
    }
    const rows = new Uint16Array(body.buffer, body.byteOffset, body.byteLength / WIDTH)
    const gone = new AbortController()
    response.once('close', () => gone.abort(new HttpError(499, 'The client went away')))
    const result = await this.#batcher.submit(rows, gone.signal)
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    response.end(Buffer.from(result.buffer, result.byteOffset, result.byteLength))
    this.stats.answered(performance.now() - begun)
  }

  async #compute(rows: Uint16Array<ArrayBuffer>, tokens: number): Promise<Uint16Array> {
    const { device, extents } = this.#layer
    const shape = [tokens, extents.hidden]
    const x = device.tensor(rows, { dtype: 'bf16', shape, label: 'batch' })
    const y = this.#layer.run(x)
    try {
      const bytes = await y.toBytes()
      return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WIDTH)
    } finally {
      x.dispose()
      y.dispose()
    }
  }
}

/** Numbers as the rows of a request. */
export function encodeRows(numbers: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(numbers, (number) => bf16.encode(number))
}

class HttpError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** At most `limit` bytes, at an address that 16-bit numbers can start at. */
async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): HttpError => new HttpError(413, `A request has at most ${limit} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge()
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.byteLength
    if (length > limit) throw tooLarge()
    parts.push(part)
  }
  const body = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    body.set(part, at)
    at += part.byteLength
  }
  return body
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(value)}\n`)
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const busy = error instanceof BusyError || error instanceof ClosedError
  const status = error instanceof HttpError ? error.status : busy ? 503 : 500
  const message = error instanceof Error ? error.message : String(error)
  // What is left of a refused body is not read.
  if (status === 413) response.setHeader('connection', 'close')
  if (status === 503) response.setHeader('retry-after', '1')
  sendJson(response, status, { error: message })
}
