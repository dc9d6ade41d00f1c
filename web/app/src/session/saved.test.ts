import { expect, test } from 'vitest';
import { readSaved } from './saved.ts';

const good = { version: 1, stream: new Uint8Array([1]), savedAt: 5, position: 12, start: 3, speed: 2, transpose: -3, strips: [], scale: undefined, prompt: undefined };

test('a record comes back as it was saved', () => {
  const { version: _, ...rest } = good;
  expect(readSaved(good)).toEqual(rest);
});

test('records of other versions and without music are of no use', () => {
  for (const bad of [undefined, null, 7, {}, { ...good, version: 2 }, { ...good, stream: 'x' }, { ...good, stream: new Uint8Array() }]) {
    expect(readSaved(bad)).toBeUndefined();
  }
});

test('values out of range become the defaults', () => {
  expect(readSaved({ ...good, speed: 99, transpose: NaN, position: -1, strips: 'x' })).toMatchObject({ speed: 1, transpose: 0, position: 0, strips: [] });
});
