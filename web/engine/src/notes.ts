// Notes as numbers in a row, as they cross to the engine, and as objects.
import type { Note } from './types.ts';

const NUMBERS = 6;

export function fromFlat(flat: Float64Array): Note[] {
  const notes: Note[] = [];
  for (let i = 0; i + NUMBERS <= flat.length; i += NUMBERS)
    notes.push({
      onset: flat[i]!,
      duration: flat[i + 1]!,
      instrument: flat[i + 2]!,
      pitch: flat[i + 3]!,
      velocity: flat[i + 4]!,
      event: flat[i + 5]!,
    });
  return notes;
}

export function toFlat(notes: readonly Omit<Note, 'event'>[]): Float64Array {
  const flat = new Float64Array(notes.length * NUMBERS);
  notes.forEach((note, i) => {
    flat.set([note.onset, note.duration, note.instrument, note.pitch, note.velocity, 0], i * NUMBERS);
  });
  return flat;
}

/** What differs: the notes of events >= from are gone, and these are there instead. undefined: nothing does. */
export function difference(told: Float64Array, now: Float64Array): { from: number; notes: Float64Array } | undefined {
  const shorter = Math.min(told.length, now.length);
  let same = 0;
  while (same < shorter && told[same] === now[same]) ++same;
  if (same === told.length && same === now.length) return undefined;
  const note = Math.floor(same / NUMBERS);
  const event = (notes: Float64Array) => (note < countOf(notes) ? eventAt(notes, note) : Infinity);
  return { from: Math.min(event(told), event(now)), notes: sliceFrom(now, note) };
}

export const eventAt = (flat: Float64Array, note: number): number => flat[note * NUMBERS + 5]!;
export const sliceFrom = (flat: Float64Array, note: number): Float64Array => flat.slice(note * NUMBERS);
export const countOf = (flat: Float64Array): number => flat.length / NUMBERS;
