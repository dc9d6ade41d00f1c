// What the listener plays, as notes. Times are seconds on whatever clock the caller keeps to.
import type { Note } from 'midinfinite';

export type PlayedNote = Omit<Note, 'event'>;

/** The model's longest and shortest. */
const LONGEST = 9.99;
const SHORTEST = 0.03;

export class Recorder {
  readonly #done: PlayedNote[] = [];
  readonly #down = new Map<number, PlayedNote>();
  /** Let go while the pedal holds them. */
  readonly #sustained = new Set<number>();
  #pedal = false;

  get length(): number {
    return this.#done.length + this.#down.size;
  }

  strike(instrument: number, pitch: number, velocity: number, at: number): void {
    this.#end(pitch, at);
    this.#down.set(pitch, { onset: at, duration: 0, instrument, pitch, velocity });
  }

  lift(pitch: number, at: number): void {
    if (this.#pedal && this.#down.has(pitch)) this.#sustained.add(pitch);
    else this.#end(pitch, at);
  }

  pedal(down: boolean, at: number): void {
    this.#pedal = down;
    if (down) return;
    for (const pitch of this.#sustained) this.#end(pitch, at);
  }

  /** Everything up to now, in order; keys that are down end here. */
  notes(now: number): PlayedNote[] {
    for (const pitch of [...this.#down.keys()]) this.#end(pitch, now);
    return this.#done.sort((one, other) => one.onset - other.onset);
  }

  #end(pitch: number, at: number): void {
    const note = this.#down.get(pitch);
    if (note === undefined) return;
    note.duration = Math.min(LONGEST, Math.max(SHORTEST, at - note.onset));
    this.#done.push(note);
    this.#down.delete(pitch);
    this.#sustained.delete(pitch);
  }
}

/** The same, beginning at 0. */
export function fromZero(notes: readonly PlayedNote[]): PlayedNote[] {
  const first = Math.min(...notes.map((note) => note.onset));
  return notes.map((note) => ({ ...note, onset: note.onset - first }));
}
