// Plays a stream: the audio context, a clock, the scheduler and the synthesizer together, and the mixer.
import type { Update } from 'midinfinite';
import { DRUMS } from '../music/general-midi.ts';
import { NoteStore } from '../music/note-store.ts';
import { fetchFont, type FontProgress } from './font.ts';
import { Scheduler } from './scheduler.ts';
import type { Synth } from './synth.ts';

export interface Strip {
  /** 0..1 */
  volume: number;
  muted: boolean;
  solo: boolean;
}
export const DEFAULT_STRIP: Strip = { volume: 0.8, muted: false, solo: false };

// Firefox (seen with 153) asks the audio device while it holds the lock that the audio thread needs: reading the latency
// just as the device starts stops the page for ever.
const LATENCY_CAN_BE_READ = !navigator.userAgent.includes('Firefox/');

export class Player {
  readonly notes = new NoteStore();
  /** Called every 25 ms while the clock runs, with what is handed over: the stream's playhead. */
  onAdvance: (frontier: number) => void = () => {};
  readonly #context: AudioContext;
  readonly #clock: Worker;
  #scheduler: Scheduler;
  #synth: Synth | undefined;
  #strips = new Map<number, Strip>();
  #speed = 1;
  #transpose = 0;
  #masterVolume = 0.8;

  constructor() {
    this.#context = new AudioContext({ latencyHint: 'balanced' });
    this.#scheduler = new Scheduler(this.notes, this.#sink);
    this.#clock = new Worker(new URL('./clock.worker.ts', import.meta.url), { type: 'module' });
    this.#clock.onmessage = () => this.#tick();
  }

  /** To be called while a tap or key is handled: browsers start audio only then. */
  unlock(): void {
    if (this.#context.state !== 'running') void this.#context.resume();
  }

  async loadSounds(onProgress: (progress: FontProgress) => void): Promise<void> {
    if (this.#synth !== undefined) return;
    const font = await fetchFont(onProgress);
    // Large, and of no use before the font is there.
    const { Synth } = await import('./synth.ts');
    this.#synth = await Synth.create(this.#context, font, (instrument) => this.#volumeOf(instrument));
    this.#synth.output.setVolume(this.#masterVolume);
    for (const { instrument, pitch, velocity } of this.notes.notes(this.notes.firstAt(this.position))) {
      this.#synth.warm(instrument, pitch, velocity);
    }
  }

  /** Music that is heard now, for pictures: behind the scheduler by what the output takes. */
  get heard(): number {
    const known = LATENCY_CAN_BE_READ && this.#scheduler.state === 'playing';
    return Math.max(0, this.position - (known ? (this.#context.outputLatency || 0) * this.#speed : 0));
  }

  get position(): number {
    return this.#scheduler.position(this.#context.currentTime);
  }

  get frontier(): number {
    return this.#scheduler.frontier;
  }

  get underruns(): number {
    return this.#scheduler.underruns;
  }

  get stopped(): boolean {
    return this.#scheduler.state === 'stopped';
  }

  /** Play is on, but there is nothing to play yet. */
  get waiting(): boolean {
    return this.#scheduler.state === 'waiting';
  }

  play(): void {
    this.unlock();
    this.#scheduler.play();
  }

  pause(): void {
    this.#scheduler.pause(this.#context.currentTime);
  }

  seek(to: number): void {
    this.#scheduler.seek(to, this.#context.currentTime);
  }

  update(update: Update): void {
    this.notes.apply(update);
    this.#scheduler.replaced(update.from, update.state.generatedTo, this.#context.currentTime);
    for (const note of update.notes) {
      if (note.onset >= this.frontier) this.#synth?.warm(note.instrument, this.#transposed(note.instrument, note.pitch), note.velocity);
    }
  }

  setSpeed(speed: number): void {
    this.#speed = speed;
    this.#scheduler.setSpeed(speed, this.#context.currentTime);
  }

  setTranspose(semitones: number): void {
    this.#transpose = semitones;
    this.#scheduler.setTranspose(semitones);
  }

  setMasterVolume(volume: number): void {
    this.#masterVolume = volume;
    this.#synth?.output.setVolume(volume);
  }

  setStrips(strips: ReadonlyMap<number, Strip>): void {
    this.#strips = new Map(strips);
    for (let instrument = 0; instrument <= DRUMS; ++instrument) {
      const channel = this.#scheduler.channels.channelOf(instrument);
      if (channel !== undefined) this.#synth?.setVolume(channel, this.#volumeOf(instrument));
    }
  }

  /** Forgets all notes: other music follows. */
  clear(): void {
    this.pause();
    this.#scheduler.seek(0, this.#context.currentTime);
    this.notes.apply({ from: 0, notes: [] });
  }

  #tick(): void {
    if (this.#synth === undefined || this.#context.state !== 'running') return;
    this.#scheduler.tick(this.#context.currentTime);
    this.#synth.warmNext();
    this.onAdvance(this.#scheduler.frontier);
  }

  #volumeOf(instrument: number): number {
    const strip = this.#strips.get(instrument) ?? DEFAULT_STRIP;
    const anySolo = [...this.#strips.values()].some((other) => other.solo);
    if (strip.muted || (anySolo && !strip.solo)) return 0;
    return Math.round(strip.volume * 127);
  }

  #transposed(instrument: number, pitch: number): number {
    return instrument === DRUMS ? pitch : Math.min(127, Math.max(0, pitch + this.#transpose));
  }

  // Notes may be scheduled only once there is a synthesizer: the clock sees to that.
  readonly #sink = {
    noteOn: (channel: number, key: number, velocity: number, time: number) => this.#synth?.noteOn(channel, key, velocity, time),
    noteOff: (channel: number, key: number, time: number) => this.#synth?.noteOff(channel, key, time),
    assign: (channel: number, instrument: number, time: number) => this.#synth?.assign(channel, instrument, time),
    silence: (now: number, last: number) => this.#synth?.silence(now, last) ?? now,
  };
}
