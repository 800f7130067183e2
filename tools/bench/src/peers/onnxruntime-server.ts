// The process that runs onnxruntime-node: arguments are its entry file and a number of threads.
// Lines on stdin: `prepare <m> <n> <k> <copies>`, then `run`, which is answered with seconds,
// and `error`.
// The weights are a constant of the model, so that the library may pack them beforehand.

import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { uniformArray } from '../random.js'
import { ErrorSums, sampledPositions } from '../suite/error-sums.js'
import { matMulModel } from './onnx-model.js'

// What is used of onnxruntime-node, which is no dependency.
type OrtTensor = object
type OrtSession = {
  run(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor>): Promise<unknown>
  release(): Promise<void>
}
type Ort = {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>
  }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => OrtTensor
}

const [entry, threads] = process.argv.slice(2) as [string, string]
const imported = (await import(pathToFileURL(entry).href)) as { default: Ort }
const ort = imported.default

type Weights = { readonly key: string; readonly sessions: readonly OrtSession[] }

const [A_SEED, B_SEED] = [1, 2]

let shape = { m: 0, n: 0, k: 0 }
let product = new Float32Array()
let weights: Weights = { key: '', sessions: [] }
let feeds: Record<string, OrtTensor> = {}
let fetches: Record<string, OrtTensor> = {}
let next = 0

async function prepare(m: number, n: number, k: number, copies: number): Promise<number> {
  const key = `${n}x${k}x${copies}`
  if (weights.key !== key) weights = { key, sessions: await openSessions(n, k, copies) }
  shape = { m, n, k }
  product = new Float32Array(m * n).fill(Number.NaN)
  feeds = { a: new ort.Tensor('float32', uniformArray(m * k, A_SEED), [m, k]) }
  fetches = { d: new ort.Tensor('float32', product, [m, n]) }
  return 0
}

/** One session, and so one copy of the weights, for each. */
async function openSessions(n: number, k: number, copies: number): Promise<OrtSession[]> {
  for (const session of weights.sessions) await session.release()
  const values = new Uint8Array(uniformArray(k * n, B_SEED).buffer)
  const model = matMulModel({ k, n, weights: values })
  const options = { intraOpNumThreads: Number(threads), interOpNumThreads: 1, logSeverityLevel: 3 }
  const sessions: OrtSession[] = []
  for (let copy = 0; copy < copies; copy++) {
    sessions.push(await ort.InferenceSession.create(model, options))
  }
  return sessions
}

async function run(): Promise<number> {
  const session = weights.sessions[next++ % weights.sessions.length]
  if (session === undefined) throw new Error('nothing was prepared')
  const start = performance.now()
  await session.run(feeds, fetches)
  return (performance.now() - start) / 1000
}

/** Against float64, over elements all over the product that was computed last. */
function productError(): number {
  const { m, n, k } = shape
  const [a, b] = [uniformArray(m * k, A_SEED), uniformArray(k * n, B_SEED)]
  const sums = new ErrorSums()
  for (const i of sampledPositions(m)) {
    for (const j of sampledPositions(n)) {
      let sum = 0
      for (let at = 0; at < k; at++) sum += (a[i * k + at] as number) * (b[at * n + j] as number)
      sums.add(product[i * n + j] as number, sum)
    }
  }
  return sums.error
}

async function answer(line: string): Promise<number> {
  const [command, ...numbers] = line.split(' ')
  if (command === 'run') return run()
  if (command === 'error') return productError()
  const [m, n, k, copies] = numbers.map(Number) as [number, number, number, number]
  if (command === 'prepare') return prepare(m, n, k, copies)
  throw new Error(`unknown command ${command}`)
}

for await (const line of createInterface(process.stdin)) {
  try {
    process.stdout.write(`ok ${await answer(line)}\n`)
  } catch (error) {
    process.stdout.write(`error ${String((error as Error).message).split('\n')[0]}\n`)
  }
}
