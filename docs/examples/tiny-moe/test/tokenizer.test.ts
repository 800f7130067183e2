import { readFileSync } from 'node:fs'
import { Tokenizer } from '@deepgemm/tiny-moe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const file = (name: string): string =>
  readFileSync(new URL(`../model/${name}`, import.meta.url), 'utf8')

const tokenizer = Tokenizer.parse(file('tokenizer.json'))

describe('the tokenizer', () => {
  const vectors: { text: string; ids: number[] }[] = JSON.parse(file('tokenizer-vectors.json'))

  it.each(vectors)('splits $text as the training script does', ({ text, ids }) => {
    expect(tokenizer.encode(text)).toEqual(ids)
  })

  it('gives back every text it has split', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  it('gives special tokens no text', () => {
    expect(tokenizer.decode([0])).toBe('')
  })

  it('refuses files that are no byte-level BPE', () => {
    expect(() => Tokenizer.parse('{')).toThrow(/not JSON/)
    expect(() => Tokenizer.parse('null')).toThrow(/byte-level BPE/)
    expect(() => Tokenizer.parse('{"model":{"type":"Unigram"}}')).toThrow(
      /given a model of type "Unigram"/,
    )
  })
})
