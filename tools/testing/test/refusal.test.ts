import { OptionError, ShapeError } from '@deepgemm/core'
import { expectRefusal } from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'

const refuse = () => {
  throw new ShapeError('The shape is wrong', { given: '[3, 4]', allowed: 'multiples of 8' })
}

describe('a refusal', () => {
  it('is accepted when class, given and allowed are as wanted', async () => {
    const wanted = { error: ShapeError, given: '3', allowed: 'of 8' }
    const error = await expectRefusal(refuse, wanted)
    expect(error).toBeInstanceOf(ShapeError)
    await expectRefusal(() => Promise.resolve().then(refuse), { error: ShapeError })
  })

  it.each([
    [{ error: OptionError }, /lacks a OptionError: ShapeError/],
    [{ error: ShapeError, given: '[5' }, /lacks given \[5/],
    [{ error: ShapeError, allowed: 'of 16' }, /lacks allowed of 16/],
  ])('is none when it is not %o', async (wanted, said) => {
    await expect(expectRefusal(refuse, wanted)).rejects.toThrow(said)
  })

  it('must have the code of its class', async () => {
    const odd = () => {
      throw new ShapeError('odd', { code: 'ERR_ODD' })
    }
    await expect(expectRefusal(odd, { error: ShapeError })).rejects.toThrow(/lacks the code ERR_/)
  })

  it('is no success, and no error of another kind', async () => {
    await expect(expectRefusal(() => 1, { error: ShapeError })).rejects.toThrow(
      'nothing was refused',
    )
    const broken = () => {
      throw new TypeError('a bug')
    }
    await expect(expectRefusal(broken, { error: ShapeError })).rejects.toThrow(TypeError)
  })
})
