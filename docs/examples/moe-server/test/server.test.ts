import { request } from 'node:http'
import {
  Batcher,
  BusyError,
  ClosedError,
  demoLayer,
  encodeRows,
  loadTest,
  post,
  Service,
} from '@deepgemm/moe-server'
import { Device, type MoeLayer } from 'deepgemm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const SHAPE = { hidden: 128, intermediate: 64, experts: 8, topK: 2, groups: 2, topGroups: 1 }
const ROW_BYTES = 2 * SHAPE.hidden

describe('the service', () => {
  let device: Device
  let owned: { readonly layer: MoeLayer; dispose(): void }
  let service: Service
  let port: number

  beforeAll(async () => {
    device = await Device.open({ kind: 'cpu' })
    owned = await demoLayer(device, SHAPE, { maxTokens: 32, maxDecodeTokens: 4 })
    service = new Service(owned.layer)
    port = await service.listen()
  })

  afterAll(async () => {
    await service.close()
    owned.dispose()
    expect(device.memory().buffers).toEqual([])
    await device.dispose()
  })

  const rows = (count: number, seed: number): Uint8Array => {
    const numbers = Float32Array.from({ length: count * SHAPE.hidden }, (_, i) =>
      Math.sin(seed + 0.7 * i),
    )
    return new Uint8Array(encodeRows(numbers).buffer)
  }

  const get = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as Record<string, unknown>

  it('answers with what the layer computes, whoever else asks', async () => {
    const bodies = Array.from({ length: 30 }, (_, i) => rows(1 + (i % 5), i))
    const together = await Promise.all(bodies.map((body) => post(port, body)))
    for (const [i, body] of bodies.entries()) {
      const alone = await post(port, body)
      expect(alone.status).toBe(200)
      expect(alone.body.byteLength).toBe(body.byteLength)
      expect(Buffer.compare(together[i]?.body as Buffer, alone.body)).toBe(0)
    }
  })

  it('says what it serves', async () => {
    const health = await get('/health')
    expect(health).toMatchObject({ device: 'cpu', hidden: 128, experts: 8, maxTokens: 32 })
  })

  it('refuses what is no rows, too much, or nowhere', async () => {
    expect((await post(port, new Uint8Array(ROW_BYTES + 2))).status).toBe(400)
    expect((await post(port, new Uint8Array(33 * ROW_BYTES))).status).toBe(413)
    expect((await post(port, new Uint8Array(0))).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${port}/nowhere`)).status).toBe(404)
  })

  it('goes on when a client hangs up', async () => {
    await new Promise<void>((resolve) => {
      const outgoing = request({ port, method: 'POST', path: '/v1/layer' })
      outgoing.on('error', () => resolve())
      outgoing.write(rows(2, 1))
      setTimeout(() => outgoing.destroy(new Error('gone')), 20)
    })
    expect((await post(port, rows(2, 1))).status).toBe(200)
  })

  it('answers thousands of requests without growing', async () => {
    const bodies = [rows(1, 1), rows(3, 2), rows(8, 3)]
    const body = (i: number): Uint8Array => bodies[i % 3] as Uint8Array
    await loadTest({ port, requests: 500, concurrency: 32, body })
    const before = device.memory().liveBytes
    const result = await loadTest({ port, requests: 2000, concurrency: 32, body })
    expect(result.statuses).toEqual({ 200: 2000 })
    expect(device.memory().liveBytes).toBeLessThanOrEqual(before)
    const { batches, requests } = (await get('/stats')) as { batches: number; requests: number }
    expect(requests).toBeGreaterThan(2500)
    expect(batches).toBeLessThan(requests)
  })
})

describe('the batcher', () => {
  /** Batches that are computed when they are told to be. */
  function held() {
    const batches: { tokens: number; finish: () => void }[] = []
    const batcher = new Batcher({
      width: 1,
      maxTokens: 4,
      maxWaiting: 6,
      compute: (rows, tokens) =>
        new Promise((resolve) => {
          batches.push({ tokens, finish: () => resolve(rows.map((x) => x + 100)) })
        }),
    })
    const turn = () => new Promise((resolve) => setTimeout(resolve, 5))
    return { batcher, batches, turn }
  }

  it('computes together what waits, in order, as far as it fits', async () => {
    const { batcher, batches, turn } = held()
    const results = [[1, 2], [3], [4, 5], [6]].map((rows) => batcher.submit(Uint16Array.from(rows)))
    await turn()
    expect(batches.map(({ tokens }) => tokens)).toEqual([3])
    batches[0]?.finish()
    await turn()
    expect(batches.map(({ tokens }) => tokens)).toEqual([3, 3])
    batches[1]?.finish()
    const rows = (await Promise.all(results)).map((result) => [...result])
    expect(rows).toEqual([[101, 102], [103], [104, 105], [106]])
  })

  it('refuses what would wait too long, and forgets what is given up', async () => {
    const { batcher, batches, turn } = held()
    const first = batcher.submit(Uint16Array.of(1))
    await turn()
    const gone = new AbortController()
    const second = batcher.submit(Uint16Array.of(1, 2, 3, 4), gone.signal)
    await expect(batcher.submit(Uint16Array.of(1, 2, 3))).rejects.toThrow(BusyError)
    gone.abort(new Error('gone'))
    await expect(second).rejects.toThrow('gone')
    expect(batcher.waiting).toBe(0)
    batches[0]?.finish()
    await first
    await batcher.close()
    expect(batches).toHaveLength(1)
    await expect(batcher.submit(Uint16Array.of(1))).rejects.toThrow(ClosedError)
  })
})
