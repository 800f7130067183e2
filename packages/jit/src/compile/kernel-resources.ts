// What a compiler made of a kernel, read from the cubin itself: no GPU and no tool is needed. A cubin is
// a 64-bit little-endian ELF file; its section .nv.info is a list of attributes of its functions.

/** What each thread of a kernel takes. */
export type KernelResources = {
  readonly registers: number
  /** Stack frame in local memory, spilled registers included. 0 in a kernel that is as fast as meant. */
  readonly localBytes: number
}

const HEADER_BYTES = 64
const SECTION_BYTES = 64
const SYMBOL_BYTES = 24
const SYMTAB = 2

/** Attributes of .nv.info that name a function and a number. */
const REGISTER_COUNT = 0x2f
const FRAME_SIZE = 0x11
/** Format of an attribute with a payload; the others have their value in place of its length. */
const SIZED = 4

type Section = {
  readonly name: string
  readonly type: number
  readonly bytes: DataView
  readonly link: number
}

/** Undefined when the cubin does not say: the format is NVIDIA's own, and a check must not stop a kernel. */
export function kernelResources(cubin: Uint8Array, entryName: string): KernelResources | undefined {
  try {
    const sections = sectionsOf(cubin)
    const symbol = symbolOf(sections, entryName)
    const info = sections.find(({ name }) => name === '.nv.info')
    if (info === undefined) return undefined
    const found = attributesOf(info.bytes, symbol)
    const registers = found.get(REGISTER_COUNT)
    if (registers === undefined) return undefined
    return { registers, localBytes: found.get(FRAME_SIZE) ?? 0 }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function sectionsOf(cubin: Uint8Array): readonly Section[] {
  const file = new DataView(cubin.buffer, cubin.byteOffset, cubin.byteLength)
  if (file.byteLength < HEADER_BYTES) return []
  const table = Number(file.getBigUint64(40, true))
  const names = file.getUint16(62, true)
  const headers = Array.from({ length: file.getUint16(60, true) }, (_, i) =>
    slice(file, table + i * SECTION_BYTES, SECTION_BYTES),
  )
  const bytesOf = (header: DataView): DataView =>
    slice(file, Number(header.getBigUint64(24, true)), Number(header.getBigUint64(32, true)))
  const [strings] = headers.slice(names, names + 1).map(bytesOf)
  if (strings === undefined) return []
  return headers.map((header) => ({
    name: textAt(strings, header.getUint32(0, true)),
    type: header.getUint32(4, true),
    // Sections of type NOBITS lie nowhere in the file; nobody reads them here.
    bytes: header.getUint32(4, true) === 8 ? slice(file, 0, 0) : bytesOf(header),
    link: header.getUint32(40, true),
  }))
}

/** The number of a function in the symbol table; -1 when it is not there. */
function symbolOf(sections: readonly Section[], wanted: string): number {
  const table = sections.find(({ type }) => type === SYMTAB)
  const strings = sections[table?.link ?? -1]
  if (table === undefined || strings === undefined) return -1
  const count = Math.floor(table.bytes.byteLength / SYMBOL_BYTES)
  const names = Array.from({ length: count }, (_, i) =>
    textAt(strings.bytes, table.bytes.getUint32(i * SYMBOL_BYTES, true)),
  )
  return names.indexOf(wanted)
}

function attributesOf(info: DataView, symbol: number): ReadonlyMap<number, number> {
  const found = new Map<number, number>()
  for (let at = 0; at + 4 <= info.byteLength; ) {
    const [format, attribute] = [info.getUint8(at), info.getUint8(at + 1)]
    const length = format === SIZED ? info.getUint16(at + 2, true) : 0
    const namesSymbol = length === 8 && info.getUint32(at + 4, true) === symbol
    if (namesSymbol) found.set(attribute, info.getUint32(at + 8, true))
    at += 4 + length
  }
  return found
}

/** @throws {RangeError} also for what lies outside of `view` and inside its buffer */
function slice(view: DataView, offset: number, length: number): DataView {
  if (offset + length > view.byteLength) throw new RangeError('outside of the file')
  return new DataView(view.buffer, view.byteOffset + offset, length)
}

function textAt(strings: DataView, offset: number): string {
  const all = new Uint8Array(strings.buffer, strings.byteOffset, strings.byteLength)
  const from = all.subarray(offset)
  const end = from.indexOf(0)
  return Buffer.from(end < 0 ? from : from.subarray(0, end)).toString('latin1')
}
