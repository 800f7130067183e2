import { availableParallelism } from 'node:os'
import { Jit } from '@deepgemm/jit'
import { probeCuda } from '@deepgemm/runtime/diagnose'
import { configText } from '../cache/describe.js'
import { nameList, type RawOptions, text, wholeNumber } from '../options.js'
import { formatDuration } from '../output/format.js'
import { startProgress } from '../output/progress.js'
import { printTable } from '../output/table.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'
import { compileKernels, findKernels, type WantedKernel } from '../warm/compile.js'
import { planWarmUp, STACK_LAYOUTS, type WarmPlan } from '../warm/kernels.js'
import { modelProducts } from '../warm/model-products.js'
import { kernels, openCache } from './cache.js'

/** Of an H100 SXM or an H200. */
const MULTIPROCESSORS = 132

const OUTS = ['bf16', 'f32'] as const

/** `deepgemm cache warm <model>`: exit code 1 when the model has nothing that runs on a GPU. */
export async function cacheWarmCommand(
  terminal: Terminal,
  model: string,
  options: RawOptions,
): Promise<number> {
  const maxTokens = wholeNumber(options, 'maxTokens', { fallback: 4096, min: 1, max: 1 << 20 })
  const multiprocessors = multiprocessorsOf(options)
  const jobs = wholeNumber(options, 'jobs', {
    fallback: Math.min(availableParallelism(), 8),
    min: 1,
    max: 64,
  })
  const outs = nameList(options, 'outs', OUTS, ['bf16'])
  const layouts = nameList(options, 'layouts', STACK_LAYOUTS, ['contiguous'])
  const products = await modelProducts(text({ model }, 'model'))
  const plan = planWarmUp(products, { maxTokens, multiprocessors, outs, layouts })
  printLayers(terminal, plan)
  const jit = await Jit.open({ cache: await openCache(terminal), concurrency: jobs })
  const wanted = await findKernels(jit, plan.kernels)
  const missing = wanted.filter(({ cached }) => !cached)
  say(terminal, whyLine(plan, missing.length, maxTokens, multiprocessors))
  const facts = {
    model,
    maxTokens,
    multiprocessors,
    outs,
    layouts,
    layers: plan.layers,
    kernels: wanted,
  }
  if (options['dryRun'] === true) {
    printKernels(terminal, wanted)
    sayJson(terminal, { ...facts, compiled: 0 })
  } else {
    await compile(terminal, jit, missing, jobs)
    sayJson(terminal, { ...facts, compiled: missing.length, path: jit.cache.path })
  }
  return plan.kernels.length === 0 ? 1 : 0
}

function multiprocessorsOf(options: RawOptions): number {
  const given = { min: 1, max: 1024 }
  if (options['multiprocessors'] !== undefined) {
    return wholeNumber(options, 'multiprocessors', given)
  }
  try {
    const usable = probeCuda().find(({ problem }) => problem === undefined)
    return usable?.properties?.multiprocessors ?? MULTIPROCESSORS
  } catch {
    // Kernels can be compiled where no device can be asked, for another machine.
    return MULTIPROCESSORS
  }
}

async function compile(
  terminal: Terminal,
  jit: Jit,
  missing: readonly WantedKernel[],
  jobs: number,
): Promise<void> {
  if (missing.length === 0) return
  const { name, version } = await (await jit.compiler()).identity()
  const started = performance.now()
  const progress = startProgress(terminal, `Compiling with ${name} ${version}`, missing.length)
  try {
    await compileKernels(jit, missing, { jobs, signal: terminal.signal }, () => progress.advance(1))
  } catch (error) {
    progress.fail()
    throw error
  }
  const seconds = (performance.now() - started) / 1000
  progress.finish(`Compiled ${kernels(missing.length)} in ${formatDuration(seconds)}`)
  if (jit.cache.path !== undefined) say(terminal, `Kept in ${jit.cache.path}`)
}

function printLayers(terminal: Terminal, { layers }: WarmPlan): void {
  printTable(
    terminal,
    [{ name: 'layer' }, { name: 'shape' }, { name: 'kernels', align: 'right' }, { name: 'note' }],
    layers.map(({ name, shape, kernels: count, problem }) => [name, shape, count, problem ?? '']),
  )
}

function printKernels(terminal: Terminal, wanted: readonly WantedKernel[]): void {
  printTable(
    terminal,
    [{ name: 'kernel' }, { name: 'config' }, { name: 'state' }, { name: 'for' }],
    wanted.map(({ spec, cached, reasons }) => [
      spec.name,
      configText(spec.config),
      cached ? 'in the cache' : 'to compile',
      shortList(reasons),
    ]),
  )
}

/** The first two of many. */
function shortList(items: readonly string[]): string {
  const more = items.length - 2
  return more <= 1 ? items.join(', ') : `${items.slice(0, 2).join(', ')} and ${more} more`
}

function whyLine(
  { layers, kernels: all }: WarmPlan,
  missing: number,
  maxTokens: number,
  multiprocessors: number,
): string {
  const served = layers.filter(({ problem }) => problem === undefined).length
  return (
    `${served} of ${layers.length} kinds of layer, 1 to ${maxTokens} tokens, ` +
    `${multiprocessors} multiprocessors: ${kernels(all.length)}, ` +
    `${all.length - missing} in the cache, ${missing} to compile`
  )
}
