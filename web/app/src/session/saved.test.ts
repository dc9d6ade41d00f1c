import { expect, test } from 'vitest';
import { inOrder, readSaved, surplus } from './saved.ts';

const good = { version: 1, id: 'x', stream: new Uint8Array([1]), savedAt: 5, position: 12, start: 3, speed: 2, transpose: -3, strips: [], scale: undefined, prompt: undefined };

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

test('the one record of earlier versions is a piece like any other', () => {
  const { id: _, ...old } = good;
  expect(readSaved(old)?.id).toBe('last');
});

const piece = (id: string, savedAt: number, position: number) => ({ ...readSaved(good)!, id, savedAt, position });
const ids = (pieces: { id: string }[]) => pieces.map(({ id }) => id);

test('the latest piece comes first, and before it the one that this page played', () => {
  const pieces = [piece('old', 1, 0), piece('new', 3, 0), piece('middle', 2, 0)];
  expect(ids(inOrder(pieces, null))).toEqual(['new', 'middle', 'old']);
  expect(ids(inOrder(pieces, 'old'))).toEqual(['old', 'new', 'middle']);
});

test('of too many pieces the one goes of which least was heard, but not the latest', () => {
  const evening = piece('evening', 1, 3600);
  const tried = Array.from({ length: 8 }, (_, i) => piece(`tried ${i}`, 100 - i, i));
  expect(surplus([evening])).toEqual([]);
  expect(surplus(tried)).toEqual([]);
  expect(ids(surplus([...tried, evening]))).toEqual(['tried 1']);
});
