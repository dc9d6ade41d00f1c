// What is rendered: the notes of a stretch of music as they are heard, with speed, transposition and mixer.
import type { Note } from 'midinfinite';
import { transposed } from '../music/transpose.ts';

export interface Stretch {
  /** Seconds of music. */
  from: number;
  to: number;
}

export interface RenderedNote {
  /** Seconds of sound. */
  start: number;
  end: number;
  key: number;
  velocity: number;
}

export interface Track {
  instrument: number;
  /** 1..127 */
  volume: number;
  /** In order of their start; a key sounds once at a time. */
  notes: RenderedNote[];
}

/** A track for each instrument that is heard, in order of its first note. */
export function plan(
  notes: Iterable<Omit<Note, 'event'>>,
  { from, to }: Stretch,
  how: { speed: number; transpose: number; volumeOf: (instrument: number) => number },
): Track[] {
  const tracks = new Map<number, Track>();
  for (const { onset, duration, instrument, pitch, velocity } of notes) {
    if (onset < from || onset >= to) continue;
    const volume = how.volumeOf(instrument);
    if (volume === 0) continue;
    let track = tracks.get(instrument);
    if (track === undefined) tracks.set(instrument, (track = { instrument, volume, notes: [] }));
    const start = (onset - from) / how.speed;
    track.notes.push({ start, end: start + duration / how.speed, key: transposed(how.transpose, instrument, pitch), velocity });
  }
  for (const { notes } of tracks.values()) endAtNextStrike(notes);
  return [...tracks.values()];
}

function endAtNextStrike(notes: RenderedNote[]): void {
  notes.sort((one, other) => one.start - other.start);
  const last = new Map<number, RenderedNote>();
  for (const note of notes) {
    const before = last.get(note.key);
    if (before !== undefined) before.end = Math.min(before.end, note.start);
    last.set(note.key, note);
  }
}
