// Sends many requests at once and says how long they took.

import { Agent, request } from 'node:http'

export type LoadSpec = {
  readonly port: number
  readonly requests: number
  /** Requests under way at a time. */
  readonly concurrency: number
  /** The body of request `i`. */
  readonly body: (i: number) => Uint8Array
}

export type LoadResult = {
  readonly seconds: number
  readonly statuses: Readonly<Record<number, number>>
  readonly medianMs: number
  readonly worstMs: number
}

export async function loadTest(spec: LoadSpec): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: spec.concurrency })
  const latencies: number[] = []
  const statuses: Record<number, number> = {}
  const begun = performance.now()
  let next = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < spec.requests; i = next++) {
      const start = performance.now()
      const { status } = await post(spec.port, spec.body(i), agent)
      latencies.push(performance.now() - start)
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: spec.concurrency }, worker))
  agent.destroy()
  latencies.sort((a, b) => a - b)
  return {
    seconds: (performance.now() - begun) / 1000,
    statuses,
    medianMs: latencies[latencies.length >> 1] ?? 0,
    worstMs: latencies.at(-1) ?? 0,
  }
}

export type Answer = { readonly status: number; readonly body: Buffer }

/** One request to /v1/layer. */
export function post(port: number, body: Uint8Array, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method: 'POST', path: '/v1/layer' }
    const outgoing = request({ ...options, ...(agent && { agent }) }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
