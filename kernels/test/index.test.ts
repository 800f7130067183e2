import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cpuSources, cudaSources } from '@deepgemm/kernels'
import { describe, expect, it } from 'vitest'

describe('kernel sources', () => {
  it('names the folder with the CPU build description', () => {
    expect(existsSync(join(cpuSources, 'CMakeLists.txt'))).toBe(true)
  })

  it('keeps CPU and CUDA sources side by side', () => {
    expect(join(cudaSources, '..')).toBe(join(cpuSources, '..'))
  })
})
