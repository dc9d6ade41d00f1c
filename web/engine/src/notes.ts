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

/** The first place where what is there now differs from what was told; -1 when nothing does. */
export function firstDifference(told: Float64Array, now: Float64Array): number {
  const shorter = Math.min(told.length, now.length);
  for (let i = 0; i < shorter; ++i) if (told[i] !== now[i]) return Math.floor(i / NUMBERS);
  return told.length === now.length ? -1 : shorter / NUMBERS;
}

export const eventAt = (flat: Float64Array, note: number): number => flat[note * NUMBERS + 5]!;
export const sliceFrom = (flat: Float64Array, note: number): Float64Array => flat.slice(note * NUMBERS);
export const countOf = (flat: Float64Array): number => flat.length / NUMBERS;
