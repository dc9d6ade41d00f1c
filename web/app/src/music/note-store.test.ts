import { expect, test } from 'vitest';
import { NoteStore } from './note-store.ts';

const note = (event: number) => ({ event, onset: event / 10, duration: 0.5, instrument: 3, pitch: 60, velocity: 90 });

test('an update replaces what is from its event on, beyond one growth', () => {
  const store = new NoteStore();
  store.apply({ from: 0, notes: Array.from({ length: 3000 }, (_, i) => note(i)) });
  store.apply({ from: 2990, notes: [{ ...note(2990), pitch: 72 }] });
  expect(store.length).toBe(2991);
  expect(store.note(2990).pitch).toBe(72);
  expect(store.note(2989)).toEqual({ ...note(2989), duration: expect.closeTo(0.5) });
  expect(store.firstAt(299)).toBe(2990);
});
