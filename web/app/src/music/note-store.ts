// Every note of a stream, in order, in flat arrays: hours of music cost a few megabytes and no garbage.
import type { Note, Update } from 'midinfinite';

export class NoteStore {
  length = 0;
  /** Grows with every change; what draws compares it. */
  version = 0;
  /** No note is longer. Whoever looks for what sounds at a moment need look no further back. */
  longest = 0;
  onset = new Float64Array(1024);
  end = new Float64Array(1024);
  event = new Float64Array(1024);
  instrument = new Uint8Array(1024);
  pitch = new Uint8Array(1024);
  velocity = new Uint8Array(1024);

  apply(update: Pick<Update, 'from' | 'notes'>): void {
    this.length = this.firstEvent(update.from);
    for (const note of update.notes) this.#push(note);
    ++this.version;
  }

  /** Index of the first note whose event is this one or a later one. */
  firstEvent(event: number): number {
    return this.#lowerBound(this.event, event);
  }

  /** Index of the first note that begins at this time or later. */
  firstAt(time: number): number {
    return this.#lowerBound(this.onset, time);
  }

  note(index: number): Note {
    const onset = this.onset[index]!;
    return {
      onset,
      duration: this.end[index]! - onset,
      instrument: this.instrument[index]!,
      pitch: this.pitch[index]!,
      velocity: this.velocity[index]!,
      event: this.event[index]!,
    };
  }

  *notes(from = 0): Generator<Note> {
    for (let i = from; i < this.length; ++i) yield this.note(i);
  }

  /** Those that begin in a stretch, from its beginning on. */
  within(from: number, to: number): Omit<Note, 'event'>[] {
    const notes: Omit<Note, 'event'>[] = [];
    for (let i = this.firstAt(from); i < this.length && this.onset[i]! < to; ++i) {
      const { event: _, ...note } = this.note(i);
      notes.push({ ...note, onset: note.onset - from });
    }
    return notes;
  }

  #push(note: Note): void {
    if (this.length === this.onset.length) this.#grow();
    const i = this.length++;
    this.onset[i] = note.onset;
    this.end[i] = note.onset + note.duration;
    this.event[i] = note.event;
    this.instrument[i] = note.instrument;
    this.pitch[i] = note.pitch;
    this.velocity[i] = note.velocity;
    this.longest = Math.max(this.longest, note.duration);
  }

  #grow(): void {
    const size = this.onset.length * 2;
    const grown = <T extends Float64Array | Uint8Array>(old: T, bigger: T): T => {
      bigger.set(old);
      return bigger;
    };
    this.onset = grown(this.onset, new Float64Array(size));
    this.end = grown(this.end, new Float64Array(size));
    this.event = grown(this.event, new Float64Array(size));
    this.instrument = grown(this.instrument, new Uint8Array(size));
    this.pitch = grown(this.pitch, new Uint8Array(size));
    this.velocity = grown(this.velocity, new Uint8Array(size));
  }

  #lowerBound(values: Float64Array, value: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (values[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
