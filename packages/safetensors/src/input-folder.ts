import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { CheckpointError } from '@deepgemm/core'
import { ioError, refuse } from './errors.js'
import { INDEX_NAME, SINGLE_NAME } from './shard-plan.js'
import { quote } from './text.js'

/** Whether links in a checkpoint folder may lead out of it. */
export type LinkPolicy = 'inside' | 'anywhere'

/** A checkpoint folder, or one file that is a checkpoint, and the paths that may be read for it. */
export class InputFolder {
  readonly path: string
  /** The only file, where the caller named a file or the folder has no index. */
  readonly single: string | undefined
  /** True when the caller named the file itself, and so trusts where it leads. */
  readonly #named: boolean
  readonly #roots: readonly string[] | undefined
  readonly #names: ReadonlySet<string>

  private constructor(
    path: string,
    single: string | undefined,
    named: boolean,
    roots: readonly string[] | undefined,
    names: ReadonlySet<string>,
  ) {
    this.path = path
    this.single = single
    this.#named = named
    this.#roots = roots
    this.#names = names
  }

  static async open(path: string, links: LinkPolicy): Promise<InputFolder> {
    try {
      const isFolder = (await stat(path)).isDirectory()
      const folder = isFolder ? path : dirname(path)
      const names = new Set(isFolder ? await readdir(folder) : [basename(path)])
      const single = isFolder ? chooseSingle(folder, names) : basename(path)
      const roots = links === 'inside' ? allowedRoots(await realpath(folder)) : undefined
      return new InputFolder(folder, single, !isFolder, roots, names)
    } catch (cause) {
      throw ioError(path, 'open the checkpoint', cause)
    }
  }

  /** True for a file that the checkpoint may use; one named by itself has no neighbours. */
  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** The real path of a file of the folder; links are resolved first, so that they cannot change after. */
  async resolve(name: string): Promise<string> {
    const path = join(this.path, name)
    if (this.#named) return path
    let real: string
    try {
      real = await realpath(path)
    } catch (cause) {
      throw ioError(path, 'open', cause)
    }
    if (this.#roots?.every((root) => !real.startsWith(root + sep)) !== true) return real
    throw refuse(`${quote(path)} is a link out of the checkpoint`, {
      given: quote(real),
      allowed: 'files inside the folder',
      remedy:
        "Copy the file into the folder, or pass links: 'anywhere' if you trust the checkpoint.",
    })
  }
}

/**
 * The folder itself; in a Hugging Face cache also the folder beside it that holds the real files
 * (`snapshots/<revision>/model.safetensors` links to `blobs/<digest>`).
 */
function allowedRoots(folder: string): readonly string[] {
  const parent = dirname(folder)
  return basename(parent) === 'snapshots' ? [folder, join(dirname(parent), 'blobs')] : [folder]
}

function chooseSingle(folder: string, names: ReadonlySet<string>): string | undefined {
  const hasSingle = names.has(SINGLE_NAME)
  const hasIndex = names.has(INDEX_NAME)
  if (hasSingle !== hasIndex) return hasSingle ? SINGLE_NAME : undefined
  const found = [...names].filter((name) => name.endsWith('.safetensors')).sort()
  throw new CheckpointError(`${quote(folder)} is not a checkpoint folder`, {
    given: hasIndex
      ? `both ${SINGLE_NAME} and ${INDEX_NAME}`
      : `neither of the two; its safetensors files: ${found.slice(0, 5).map(quote).join(', ') || 'none'}`,
    allowed: `either ${SINGLE_NAME} or ${INDEX_NAME}`,
    remedy: hasIndex
      ? 'Remove the one that is out of date, or give the path of the file.'
      : 'Give the path of a safetensors file, or fetch the missing files.',
  })
}
