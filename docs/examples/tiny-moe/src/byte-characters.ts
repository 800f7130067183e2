// Byte-level BPE writes every byte as one printable character: itself where it is printable and no
// space, else one from U+0100 up, in the order of the bytes.

const PRINTABLE: readonly (readonly [number, number])[] = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
]

const CHARACTERS: readonly string[] = characterTable()
const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((c, byte) => [c, byte]))

export function byteToCharacter(byte: number): string {
  return CHARACTERS[byte] as string
}

/** Characters that stand for no byte become a space. */
export function characterToByte(character: string): number {
  return BYTES.get(character) ?? 0x20
}

function characterTable(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = PRINTABLE.some(([from, to]) => from <= byte && byte <= to)
    return String.fromCharCode(printable ? byte : next++)
  })
}
