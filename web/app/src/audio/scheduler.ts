// Decides what the synthesizer is told and when: notes go out a little ahead of the audio clock, in the order in which
// they sound. It knows times and channels, and neither Web Audio nor timers: whoever calls it says what time it is.
import { DRUMS } from '../music/general-midi.ts';
import type { NoteStore } from '../music/note-store.ts';
import { transposed } from '../music/transpose.ts';
import { Channels } from './channels.ts';

/** Seconds on the audio clock that notes are handed over ahead. */
const AHEAD = 0.1;
/** The same in music: what is handed over plays on at the old speed when that is turned down. */
const AHEAD_MUSIC = 0.2;
/** Seconds of playing that must be there before it goes on after it ran out: one stall rather than many. */
const REFILL = 0.75;
/** And before it begins. */
const FILL = 0.2;
/** Notes that sound while it runs out are held so long: a stall is a fermata rather than a hole. */
const HELD_DRY = 2;
/** What is left of a note must be this long to be struck again after a pause or a seek. */
const WORTH_STRIKING = 0.2;
/** Seconds between a start and the first note. */
const LEAD_IN = 0.02;

/** What obeys: times are the audio clock's. */
export interface Sink {
  noteOn(channel: number, key: number, velocity: number, time: number): void;
  noteOff(channel: number, key: number, time: number): void;
  /** The channel plays this instrument from now on, with its volume. */
  assign(channel: number, instrument: number, time: number): void;
  /** Nothing handed over may sound any more. Returns when the synthesizer is ready for new notes. */
  silence(now: number, lastHandedOver: number): number;
}

interface Sounding {
  event: number;
  instrument: number;
  channel: number;
  key: number;
  start: number;
  endMusic: number;
  /** When its end has been handed over. */
  end: number | undefined;
}

export type SchedulerState = 'stopped' | 'waiting' | 'playing';

export class Scheduler {
  state: SchedulerState = 'stopped';
  underruns = 0;
  readonly channels = new Channels();
  readonly #store: NoteStore;
  readonly #sink: Sink;
  #anchorAudio = 0;
  #anchorMusic = 0;
  #speed = 1;
  #transpose = 0;
  #generatedTo = 0;
  // Everything before has been handed over.
  #frontier = 0;
  // Notes of the store below were struck since it last stood still, or came too late for it.
  #next = 0;
  #sounding: Sounding[] = [];
  #readyAt = 0;
  #lastHandedOver = 0;
  #needed = FILL;
  // On the audio clock; while it waits for more and holds what sounded.
  #dryAt: number | undefined;

  constructor(store: NoteStore, sink: Sink) {
    this.#store = store;
    this.#sink = sink;
  }

  /** Where the music is, in seconds of music. */
  position(now: number): number {
    if (this.state !== 'playing') return this.#anchorMusic;
    return Math.min(this.#generatedTo, this.#musicAt(now));
  }

  /** Up to here notes are handed over: what begins later may still change. */
  get frontier(): number {
    return this.#frontier;
  }

  play(): void {
    if (this.state !== 'stopped') return;
    this.state = 'waiting';
    this.#needed = FILL;
  }

  pause(now: number): void {
    if (this.state === 'stopped') return;
    this.#standAt(this.position(now), now);
    this.state = 'stopped';
  }

  seek(to: number, now: number): void {
    this.#standAt(to, now);
    if (this.state !== 'stopped') this.state = 'waiting';
    this.#needed = FILL;
  }

  setSpeed(speed: number, now: number): void {
    if (this.state === 'playing') {
      this.#anchorMusic = this.#musicAt(now);
      this.#anchorAudio = Math.max(now, this.#anchorAudio);
    }
    this.#speed = speed;
  }

  setTranspose(semitones: number): void {
    this.#transpose = semitones;
  }

  /** The store has lost the notes from this event on, and has others. */
  replaced(from: number, generatedTo: number, now: number): void {
    this.#generatedTo = generatedTo;
    this.#next = Math.min(this.#next, this.#store.firstEvent(from));
    let unheard = false;
    for (const note of this.#sounding) {
      if (note.event < from) continue;
      if (note.start > now) unheard = true;
      else this.#end(note, now);
    }
    this.#sounding = this.#sounding.filter((note) => note.event < from || note.start > now);
    if (!unheard) return;
    this.seek(this.position(now), now);
    this.#needed = 0; // what stays was due now: waiting for more would only make it late
  }

  /** `mayBegin`: what it waits for may begin now. */
  tick(now: number, mayBegin = true): void {
    if (this.state === 'waiting' && mayBegin) this.#begin(now);
    if (this.#dryAt !== undefined && now - this.#dryAt > HELD_DRY) this.#endAll(now);
    if (this.state !== 'playing') return;
    const ahead = Math.min(AHEAD, AHEAD_MUSIC / this.#speed);
    const until = Math.min(this.#musicAt(now + ahead), this.#generatedTo);
    this.#handOver(until, now);
    if (this.#musicAt(now) >= this.#generatedTo) this.#runDry(now);
    this.#sounding = this.#sounding.filter((note) => note.end === undefined || note.end > now);
  }

  #begin(now: number): void {
    if (this.#generatedTo - this.#frontier < this.#needed * this.#speed) return;
    this.#anchorAudio = Math.max(now, this.#readyAt) + LEAD_IN;
    this.#anchorMusic = this.#frontier;
    this.state = 'playing';
    this.#dryAt = undefined;
    const onTime = this.#store.firstAt(this.#frontier);
    for (let i = Math.max(this.#next, this.#store.firstAt(this.#frontier - this.#store.longest)); i < onTime; ++i) {
      const left = this.#store.end[i]! - this.#frontier;
      if (left > WORTH_STRIKING && this.#store.instrument[i] !== DRUMS) this.#strike(i, this.#anchorAudio);
    }
    this.#next = onTime;
  }

  #handOver(until: number, now: number): void {
    for (; this.#next < this.#store.length && this.#store.onset[this.#next]! < until; ++this.#next) {
      const time = this.#audioAt(this.#store.onset[this.#next]!);
      // What came too late is left out: late notes in a heap sound worse than none.
      if (time < now - AHEAD) continue;
      this.#strike(this.#next, Math.max(now, time));
    }
    for (const note of this.#sounding) if (note.endMusic <= until) this.#end(note, this.#audioAt(note.endMusic));
    this.#frontier = Math.max(this.#frontier, until);
  }

  #strike(index: number, time: number): void {
    const instrument = this.#store.instrument[index]!;
    const held = (channel: number) => this.#sounding.filter((n) => n.channel === channel && (n.end ?? Infinity) > time).length;
    const { channel, fresh, stolen } = this.channels.lease(instrument, time, held);
    if (stolen) for (const note of this.#sounding) if (note.channel === channel) this.#end(note, time);
    if (fresh) this.#sink.assign(channel, instrument, time);
    const key = transposed(this.#transpose, instrument, this.#store.pitch[index]!);
    // A key is down once: struck again, it is let go first, and the earlier note's end must not cut the new one.
    for (const note of this.#sounding) if (note.channel === channel && note.key === key) this.#end(note, time);
    this.#sink.noteOn(channel, key, this.#store.velocity[index]!, time);
    this.#lastHandedOver = Math.max(this.#lastHandedOver, time);
    this.#sounding.push({
      event: this.#store.event[index]!,
      instrument,
      channel,
      key,
      start: time,
      endMusic: this.#store.end[index]!,
      end: undefined,
    });
  }

  #endAll(time: number): void {
    for (const note of this.#sounding) this.#end(note, time);
  }

  #end(note: Sounding, time: number): void {
    if (note.end !== undefined) return;
    note.end = Math.max(time, note.start);
    this.#sink.noteOff(note.channel, note.key, note.end);
  }

  #runDry(now: number): void {
    this.#dryAt = now;
    this.#anchorMusic = this.#generatedTo;
    this.state = 'waiting';
    this.#needed = REFILL;
    ++this.underruns;
  }

  #standAt(music: number, now: number): void {
    if (this.#sounding.length > 0 || this.#lastHandedOver > now) {
      this.#readyAt = this.#sink.silence(now, Math.max(now, this.#lastHandedOver));
    }
    this.#sounding = [];
    this.#next = 0;
    this.#dryAt = undefined;
    this.#anchorMusic = music;
    this.#frontier = music;
  }

  #musicAt(audio: number): number {
    return this.#anchorMusic + Math.max(0, audio - this.#anchorAudio) * this.#speed;
  }

  #audioAt(music: number): number {
    return this.#anchorAudio + (music - this.#anchorMusic) / this.#speed;
  }
}
