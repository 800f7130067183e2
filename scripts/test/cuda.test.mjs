import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { check, spillsIn } from '../checks/cuda.mjs'
import { folderWith } from './fixture.mjs'

const KERNEL = {
  'kernels/cuda/entry/gemm.cu': '__global__ void gemm() {}\n',
  'kernels/cuda/kernels.json': [
    { name: 'gemm', source: 'entry/gemm.cu', defines: { BLOCK_M: '64' } },
  ],
}

/** A stand-in for nvcc that answers every compilation alike. */
function fakeNvcc(folder, file = 'nvcc') {
  const command = join(folder, file)
  chmodSync(command, 0o755)
  return command
}

describe('CUDA compilation', () => {
  it('says so when there are no sources yet', async () => {
    expect(await check({ from: folderWith({}) })).toMatchObject({ note: 'no CUDA sources yet' })
  })

  it('refuses sources that no manifest lists', async () => {
    const from = folderWith({ 'kernels/cuda/a.cuh': '' })
    expect((await check({ from })).problems).toEqual([expect.stringContaining('no kernels.json')])
  })

  it('is skipped, not passed, without nvcc', async () => {
    const outcome = await check({ from: folderWith(KERNEL), nvcc: '/nonexistent/nvcc' })
    expect(outcome.skipped).toContain('nvcc is not on this machine')
  })

  it('reports a kernel that does not compile', async () => {
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "error: no such thing: $*" >&2\nexit 2\n'
    const from = folderWith({ ...KERNEL, nvcc: script })
    const { problems } = await check({ from, nvcc: fakeNvcc(from) })
    expect(problems).toEqual([expect.stringMatching(/^gemm: nvcc exit code 2\n.*-DBLOCK_M=64/)])
  })

  it('reports spilled registers of a kernel that compiles', async () => {
    const line = '    0 bytes stack frame, 8 bytes spill stores, 8 bytes spill loads'
    const from = folderWith({ ...KERNEL, nvcc: `#!/bin/sh\necho '${line}'\n` })
    const { problems } = await check({ from, nvcc: fakeNvcc(from) })
    expect(problems).toEqual([`gemm: ${line.trim()}`])
  })

  it('gives a kernel the config of the manifest as a header', async () => {
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && exit 0\nwhile [ $# -gt 0 ]; do [ "$1" = -I ] && cat "$2"/config.cuh; shift; done 2>/dev/null\nexit 3\n'
    const kernels = [
      { name: 'gemm', source: 'entry/gemm.cu', config: { name: 'C', members: { kStages: 4 } } },
    ]
    const from = folderWith({ ...KERNEL, 'kernels/cuda/kernels.json': kernels, nvcc: script })
    const { problems } = await check({ from, nvcc: fakeNvcc(from) })
    expect(problems).toEqual([expect.stringContaining('static constexpr int kStages = 4;')])
  })

  it.each([
    '    8 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads',
    'ptxas info : (C7510) Potential Performance Loss: wgmma.mma_async are serialized',
  ])('reports %s', (line) => {
    expect(spillsIn(`ptxas info : fine\n${line}`)).toEqual([line.trim()])
  })

  it('takes zero spills for none', () => {
    expect(spillsIn('0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads')).toEqual([])
  })
})
