import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  assembleSource,
  configHeader,
  findCompiler,
  type KernelConfig,
  kernelResources,
  readSourceTree,
} from '@deepgemm/jit'
import { cudaSources } from '@deepgemm/kernels'
import { Device } from '@deepgemm/runtime'
import { CudaDevice } from '@deepgemm/runtime/cuda'
import { describe, expect, it } from 'vitest'

type ListedKernel = {
  readonly name: string
  readonly source: string
  readonly config?: { readonly name: string; readonly members: KernelConfig }
}

const devices = await Device.list()
const hasGpu = devices.some(({ kind, problem }) => kind === 'cuda' && problem === undefined)

const listed = readdirSync(cudaSources, { recursive: true, encoding: 'utf8' })
  .filter((name) => basename(name) === 'kernels.json')
  .flatMap((name): ListedKernel[] => JSON.parse(readFileSync(join(cudaSources, name), 'utf8')))

describe.skipIf(!hasGpu)('every kernel, as the compiler of this machine makes it', () => {
  it('has no local memory, and the registers that its cubin says', async () => {
    const [files, compiler] = [await readSourceTree(cudaSources), await findCompiler()]
    await using device = new CudaDevice()
    const faults = await Promise.all(
      listed.map(async ({ name, source, config }) => {
        const sources = new Map(files)
        if (config) sources.set('config.cuh', configHeader(config.name, config.members))
        const entryName = basename(source, '.cu')
        const { cubin } = await compiler.compile({
          ...{ source: assembleSource(sources, source), entryName },
          ...{ target: 'sm_90a', flags: [] },
        })
        using module = device.loadModule(cubin, name)
        const { localBytes, registers } = module.kernel(entryName).attributes()
        const told = kernelResources(cubin, entryName)
        const agrees = told?.registers === registers && told.localBytes === localBytes
        return localBytes === 0 && agrees ? [] : [{ name, localBytes, registers, told }]
      }),
    )
    expect(listed.length).toBeGreaterThan(100)
    expect(faults.flat()).toEqual([])
  }, 300_000)
})
