import { CheckpointError } from 'deepgemm'
import { byteToCharacter, characterToByte } from './byte-characters.js'

// GPT-2's split, which the pre-tokenizer ByteLevel with `use_regex` stands for.
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

type TokenizerFile = {
  readonly model: {
    readonly type: string
    readonly vocab: Readonly<Record<string, number>>
    readonly merges: readonly string[]
  }
}

/** Byte-level BPE, from the `tokenizer.json` format of Hugging Face tokenizers. */
export class Tokenizer {
  readonly #ids: ReadonlyMap<string, number>
  readonly #tokens: readonly string[]
  /** Rank of a merge, by "left right": lower merges first. */
  readonly #ranks: ReadonlyMap<string, number>
  readonly #known = new Map<string, readonly number[]>()

  private constructor(file: TokenizerFile) {
    this.#ids = new Map(Object.entries(file.model.vocab))
    const tokens: string[] = []
    for (const [token, id] of this.#ids) tokens[id] = token
    this.#tokens = tokens
    this.#ranks = new Map(file.model.merges.map((merge, rank) => [merge, rank]))
  }

  /** @throws {CheckpointError} when the text is not a byte-level BPE tokenizer. */
  static parse(text: string): Tokenizer {
    let file: TokenizerFile | undefined
    try {
      file = JSON.parse(text)
    } catch (cause) {
      throw new CheckpointError('tokenizer.json is not JSON', { cause })
    }
    const { type, vocab, merges } = file?.model ?? {}
    if (type === 'BPE' && vocab !== null && typeof vocab === 'object' && Array.isArray(merges)) {
      return new Tokenizer(file as TokenizerFile)
    }
    throw new CheckpointError('tokenizer.json is not a tokenizer that can be used here', {
      given: `a model of type ${JSON.stringify(type)}`,
      allowed: 'byte-level BPE with vocab and merges',
    })
  }

  get size(): number {
    return this.#tokens.length
  }

  encode(text: string): number[] {
    return (text.match(PIECES) ?? []).flatMap((piece) => this.#encodePiece(piece))
  }

  /** Bytes that are no whole UTF-8 character come out as U+FFFD. */
  decode(ids: readonly number[]): string {
    const characters = ids.map((id) => this.#text(id)).join('')
    return new TextDecoder().decode(Uint8Array.from(characters, characterToByte))
  }

  /** Special tokens have no text. */
  #text(id: number): string {
    const token = this.#tokens[id] ?? ''
    return token.startsWith('<|') ? '' : token
  }

  #encodePiece(piece: string): readonly number[] {
    const known = this.#known.get(piece)
    if (known !== undefined) return known
    const bytes = [...new TextEncoder().encode(piece)]
    const ids = this.#merge(bytes.map(byteToCharacter)).map((part) => this.#ids.get(part) ?? 0)
    this.#known.set(piece, ids)
    return ids
  }

  /** Joins neighbours, the lowest rank first, until no merge applies. */
  #merge(parts: string[]): string[] {
    while (parts.length > 1) {
      let best = Number.POSITIVE_INFINITY
      let at = -1
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = this.#ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? best
        if (rank < best) {
          best = rank
          at = i
        }
      }
      if (at < 0) break
      parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`)
    }
    return parts
  }
}
