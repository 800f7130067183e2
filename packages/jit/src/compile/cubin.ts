import { CompileError } from '@deepgemm/core'

const elfMagic = [0x7f, 0x45, 0x4c, 0x46] as const

/** Throws a CompileError unless the bytes begin as a cubin does: a 64-bit ELF file. */
export function checkCubin(compiler: string, entryName: string, cubin: Uint8Array): void {
  const isElf = elfMagic.every((byte, index) => cubin[index] === byte)
  if (isElf && cubin.length >= 64) return
  throw new CompileError(`${compiler} returned something that is not a cubin for ${entryName}`, {
    given: `${cubin.length} bytes that begin with ${Buffer.from(cubin.subarray(0, 4)).toString('hex') || 'nothing'}`,
    allowed: 'an ELF file',
    remedy: 'Check that the compiler is a working CUDA compiler.',
  })
}
