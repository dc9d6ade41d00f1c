import { expect, test } from 'vitest';
import { DRUMS } from '../music/general-midi.ts';
import { transposed } from '../music/transpose.ts';
import { plan } from './plan.ts';

const note = (onset: number, duration: number, pitch: number, instrument = 0) => ({ onset, duration, pitch, instrument, velocity: 80 });
const how = { speed: 1, transpose: 0, volumeOf: () => 100 };

test('a stretch has the notes that begin in it, from its beginning on', () => {
  const [track] = plan([note(1, 1, 60), note(2, 5, 61), note(3, 1, 62)], { from: 2, to: 3 }, how);
  expect(track).toEqual({ instrument: 0, volume: 100, notes: [{ start: 0, end: 5, key: 61, velocity: 80 }] });
});

test('speed, transposition and the mixer act; what is muted is left out', () => {
  const tracks = plan([note(1, 1, 60, 5), note(1, 1, 36, DRUMS), note(2, 1, 60, 6)], { from: 0, to: 9 }, {
    speed: 2,
    transpose: 3,
    volumeOf: (instrument) => (instrument === 6 ? 0 : instrument),
  });
  expect(tracks.map(({ instrument, volume, notes }) => [instrument, volume, notes[0]!.start, notes[0]!.end, notes[0]!.key])).toEqual([
    [5, 5, 0.5, 1, 63],
    [DRUMS, DRUMS, 0.5, 1, 36],
  ]);
});

test('a key struck again ends the note before', () => {
  const [track] = plan([note(0, 4, 60), note(1, 1, 60), note(1, 2, 64)], { from: 0, to: 9 }, how);
  expect(track!.notes.map(({ end }) => end)).toEqual([1, 2, 3]);
});

test('keys stay on the keyboard', () => {
  expect([transposed(12, 0, 120), transposed(-12, 0, 5), transposed(5, DRUMS, 36)]).toEqual([120, 5, 36]);
});
