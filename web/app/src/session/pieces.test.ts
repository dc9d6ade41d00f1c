import { expect, test } from 'vitest';
import { Pieces } from './pieces.svelte.ts';
import type { Saved } from './saved.ts';

// Without IndexedDB, as where storage is refused: what was left can still go on.
const heard = (pieces: Pieces, position: number, prompt?: Saved['prompt']): Saved => ({
  id: pieces.id!, stream: new Uint8Array([1]), savedAt: 1, position, start: 0, speed: 1, transpose: 0, strips: [], scale: undefined, prompt,
});

test('what is left is the piece before; going on with it leaves the other', () => {
  const pieces = new Pieces();
  pieces.begin();
  const first = heard(pieces, 10);
  pieces.leave(first);
  expect(pieces.earlier).toEqual([first]);
  pieces.begin();
  const second = heard(pieces, 5);
  pieces.leave(second);
  pieces.begin(first);
  expect(pieces.id).toBe(first.id);
  expect(pieces.earlier).toEqual([second]);
});

test('an engine that says nothing any more leaves what was kept last', async () => {
  const pieces = new Pieces();
  pieces.begin();
  const kept = heard(pieces, 10);
  await pieces.keep(kept);
  expect(pieces.leave(undefined)).toBe(kept);
  expect(pieces.leave(undefined)).toBeUndefined();
});

test('a piece of which nothing was heard is no piece before', () => {
  const pieces = new Pieces();
  pieces.begin();
  pieces.leave(heard(pieces, 0));
  pieces.begin();
  pieces.leave(heard(pieces, 0, { name: 'Pop song 1', whole: undefined }));
  expect(pieces.earlier.map(({ prompt }) => prompt?.name)).toEqual(['Pop song 1']);
});
