import { findCompiler, locateNvcc, NvccCompiler } from '@deepgemm/jit'
import { openNvrtc } from '@deepgemm/runtime/diagnose'
import { type Finding, failure, note, ok } from './finding.js'
import { mappedLibrary } from './mapped-library.js'

/**
 * NVRTC, nvcc, and which of them is used. Without a GPU their absence is only worth a note.
 */
export async function compilerFindings(isNeeded: boolean): Promise<Finding[]> {
  const softly = (finding: Finding): Finding =>
    finding.state === 'problem' ? { ...finding, state: 'note' } : finding
  const each = [softly(await nvrtcFinding()), softly(await nvccFinding())]
  try {
    const { name, version } = await (await findCompiler()).identity()
    return [...each, ok('Compiler in use', `${name} ${version}`, { name, version })]
  } catch (error) {
    // The two lines above say where each was looked for.
    const { remedy } = failure('', error)
    const detail = 'none: kernels come from the cache alone'
    const finding: Finding = { name: 'Compiler in use', state: 'problem', detail, remedy }
    return [...each, isNeeded ? finding : softly(finding)]
  }
}

/** What the dynamic linker says of each name in turn; the name alone says as much. */
const NOT_THERE = /(\S+) \(\1: cannot open shared object file: No such file or directory\)/g

async function nvrtcFinding(): Promise<Finding> {
  try {
    const { path, version } = openNvrtc()
    const found = (await mappedLibrary(/^libnvrtc\.so/)) ?? path
    const text = version.join('.')
    return ok('NVRTC', `${text}, ${found}`, { version: text, path: found })
  } catch (error) {
    const finding = failure('NVRTC', error)
    return { ...finding, detail: finding.detail.replaceAll(NOT_THERE, '$1') }
  }
}

async function nvccFinding(): Promise<Finding> {
  const { path, lookedAt } = await locateNvcc(process.env)
  if (path === undefined) {
    const places = lookedAt.map(({ place, finding }) => `${place} (${finding})`).join('; ')
    const remedy = 'Install the CUDA toolkit 12.3 or newer, or name nvcc in DEEPGEMM_NVCC.'
    return note('nvcc', `looked at ${places}`, remedy)
  }
  try {
    const { version } = await new NvccCompiler(path).identity()
    return ok('nvcc', `${version}, ${path}`, { version, path })
  } catch (error) {
    return failure('nvcc', error)
  }
}
