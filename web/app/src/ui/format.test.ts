import { expect, test } from 'vitest';
import { clock, seconds } from './format.ts';

test('times are read as they are written', () => {
  for (const time of [0, 59, 83, 3723]) expect(seconds(clock(time))).toBe(time);
  expect(seconds(' 1:02.5 ')).toBe(62.5);
  expect(seconds('90')).toBe(90);
  for (const bad of ['', 'x', '1:', ':3', '1:60', '-1', '1:2:3:4', '1e5']) expect(seconds(bad), bad).toBeUndefined();
});
