import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const sayVersion = 'echo "Cuda compilation tools, release 13.0, V13.0.88"'

/** 72 bytes that begin as every cubin does, made by printf. */
const writeElf = "printf '\\177ELF%068d' 0 > kernel.cubin"

/** An nvcc in `<folder>/bin` that says its version and otherwise runs the given lines. */
export function fakeNvcc(folder: string, compile: string = writeElf, version = sayVersion): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  const path = join(bin, 'nvcc')
  const script = `#!/bin/sh\nif [ "$1" = --version ]; then ${version}; exit; fi\n${compile}\n`
  writeFileSync(path, script)
  chmodSync(path, 0o755)
  return path
}
