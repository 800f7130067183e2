import { readFileSync } from 'node:fs'
import { kernelResources } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'

// Made by: nvcc -arch=sm_90a -std=c++20 -cubin -o local-memory.cubin local-memory.cu (CUDA 13.0)
const cubin = readFileSync(new URL('fixtures/local-memory.cubin', import.meta.url))

describe('the resources of a kernel', () => {
  it('are read from its cubin: registers, and local memory where it has some', () => {
    expect(kernelResources(cubin, 'plain')).toEqual({ registers: 8, localBytes: 0 })
    expect(kernelResources(cubin, 'spilling')).toEqual({ registers: 32, localBytes: 184 })
  })

  it('are read from a view into a larger buffer', () => {
    const larger = Buffer.concat([Buffer.alloc(7, 0xff), cubin, Buffer.alloc(9)])
    const view = larger.subarray(7, 7 + cubin.length)
    expect(kernelResources(view, 'plain')?.registers).toBe(8)
  })

  it('are unknown, and no error, where a file does not tell', () => {
    expect(kernelResources(cubin, 'another')).toBeUndefined()
    expect(kernelResources(new Uint8Array(), 'plain')).toBeUndefined()
    expect(kernelResources(new Uint8Array(64).fill(0x7f), 'plain')).toBeUndefined()
    for (let bytes = 0; bytes < cubin.length; bytes += 97) {
      const cut = Uint8Array.from(cubin.subarray(0, bytes))
      // Section headers come before program headers: only the very end is not needed.
      expect([undefined, 8]).toContain(kernelResources(cut, 'plain')?.registers)
    }
  })

  it('are unknown, and no error, whatever is wrong with a file', () => {
    for (let at = 0; at < cubin.length; at += 1) {
      const damaged = Uint8Array.from(cubin)
      damaged[at] = (damaged[at] as number) ^ 0xff
      expect(() => kernelResources(damaged, 'spilling')).not.toThrow()
    }
  })
})
