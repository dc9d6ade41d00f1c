import { expect, test } from 'vitest';
import { findScale, MODES, NO_LOCK, scaleMask } from './scale.ts';

test('masks have bit n for pitch class n', () => {
  expect(scaleMask(0, [0, 2, 4, 5, 7, 9, 11])).toBe(0b101010110101);
  expect(scaleMask(11, [0, 2])).toBe((1 << 11) | (1 << 1));
});

test('a scale is found again, as it was chosen where two share a mask', () => {
  const minor = MODES.findIndex((mode) => mode.name === 'Minor');
  const mask = scaleMask(9, MODES[minor]!.steps);
  expect(findScale(mask)).toEqual({ root: 0, mode: 0 });
  expect(findScale(mask, { root: 9, mode: minor })).toEqual({ root: 9, mode: minor });
  expect(findScale(NO_LOCK)).toBeUndefined();
});
