// The command: opens a device, loads or makes a layer, serves it until it is told to stop.
//
//   node dist/main.js                                        a small layer with random weights
//   node dist/main.js --shape deepseek-v3 --device cuda
//   node dist/main.js --checkpoint <folder> --layer model.layers.3.mlp --max-tokens 512
//   node dist/main.js --load-test 5000                       serves itself so many requests, then ends

import { parseArgs } from 'node:util'
import { Checkpoint, type DeepGemmError, Device, MoeLayer } from 'deepgemm'
import { demoLayer, type LayerRoom, SHAPES } from './demo-layer.js'
import { loadTest } from './load-test.js'
import { encodeRows, Service } from './service.js'

const { values: options } = parseArgs({
  options: {
    device: { type: 'string' },
    shape: { type: 'string', default: 'small' },
    checkpoint: { type: 'string' },
    layer: { type: 'string' },
    'max-tokens': { type: 'string', default: '256' },
    'decode-tokens': { type: 'string', default: '16' },
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    'load-test': { type: 'string' },
  },
})

function count(name: 'max-tokens' | 'decode-tokens' | 'port' | 'load-test'): number {
  const number = Number(options[name])
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new Error(`--${name} is ${options[name]}; allowed: a whole number`)
}

type Owned = { readonly layer: MoeLayer; dispose(): void }

async function openLayer(device: Device, room: LayerRoom): Promise<Owned> {
  if (options.checkpoint === undefined) {
    const shape = SHAPES[options.shape]
    if (shape !== undefined) return demoLayer(device, shape, room)
    const allowed = Object.keys(SHAPES).join(', ')
    throw new Error(`--shape is ${options.shape}; allowed: ${allowed}`)
  }
  if (options.layer === undefined) {
    throw new Error('--layer is missing: the prefix of the layer, such as model.layers.3.mlp')
  }
  const checkpoint = await Checkpoint.open(options.checkpoint)
  const layer = await MoeLayer.load(device, checkpoint, options.layer, room)
  return { layer, dispose: () => layer.dispose() }
}

/** Requests of 1 to 4 rows, 64 at a time. */
async function testLoad(service: Service, layer: MoeLayer, requests: number): Promise<void> {
  const port = await service.listen()
  const { hidden } = layer.extents
  const rows = encodeRows(Float32Array.from({ length: 4 * hidden }, () => Math.random() - 0.5))
  const body = (i: number): Uint8Array => new Uint8Array(rows.buffer, 0, 2 * hidden * (1 + (i % 4)))
  const before = process.memoryUsage.rss()
  const result = await loadTest({ port, requests, concurrency: 64, body })
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  console.log(JSON.stringify({ ...result, grownMegabytes: Math.round(grown) }))
  console.log(JSON.stringify(service.stats.report()))
  await service.close()
}

async function serve(service: Service): Promise<void> {
  const port = await service.listen(count('port'), options.host)
  console.log(`POST bf16 rows to http://${options.host}:${port}/v1/layer; see /health and /stats`)
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve)
  })
  await service.close()
}

async function main(): Promise<void> {
  const kind = options.device as 'cpu' | 'cuda' | undefined
  const device = await Device.open(kind === undefined ? {} : { kind })
  const maxTokens = count('max-tokens')
  const room = { maxTokens, maxDecodeTokens: Math.min(count('decode-tokens'), maxTokens) }
  const owned = await openLayer(device, room)
  const service = new Service(owned.layer)
  try {
    if (options['load-test'] === undefined) await serve(service)
    else await testLoad(service, owned.layer, count('load-test'))
  } finally {
    owned.dispose()
    await device.dispose()
  }
}

main().catch((error: DeepGemmError | Error) => {
  console.error(error.message)
  process.exitCode = 1
})
