// Plays a stream: the audio context, a clock, the scheduler and the synthesizer together, and the mixer.
import type { Update } from 'midinfinite';
import { NoteStore } from '../music/note-store.ts';
import { transposed } from '../music/transpose.ts';
import { fetchFont, type FontProgress } from './font.ts';
import { MidiOut, type OutChannel } from './midi-out.ts';
import { Scheduler, type Sink } from './scheduler.ts';
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

/** The one whose samples are made ready for keys that may be played. */
const LIVE_VELOCITY = 88;

const CLOCK_JUMP_MS = 60;
const CLOCK_EASE = 0.02;

export class Player {
  readonly notes = new NoteStore();
  /** Semitones; set with setTranspose(). */
  transpose = 0;
  /** Called every 25 ms. */
  onTick: () => void = () => {};
  /** Asked while it waits: not while the music is about to change, or a moment of what it was would be heard. */
  mayBegin: () => boolean = () => true;
  /** The synthesizer broke: nothing sounds until loadSounds() has been asked again. */
  onSoundsLost: () => void = () => {};
  readonly #context: AudioContext;
  readonly #clock: Worker;
  #scheduler: Scheduler;
  #synth: Synth | undefined;
  #sounds: Promise<void> | undefined;
  #strips = new Map<number, Strip>();
  #speed = 1;
  #masterVolume = 0.8;
  #local = true;
  #clockOffset = 0;
  readonly #midiOut = new MidiOut((time) => this.#heardAt(time), (instrument) => this.volumeOf(instrument) > 0);

  constructor() {
    this.#context = new AudioContext({ latencyHint: 'balanced' });
    this.#scheduler = new Scheduler(this.notes, this.#sink);
    this.#clock = new Worker(new URL('./clock.worker.ts', import.meta.url), { type: 'module' });
    this.#clock.onmessage = () => this.#tick();
    addEventListener('pagehide', () => this.setMidiOut(undefined, undefined));
  }

  /** To be called while a tap or key is handled: browsers start audio only then. */
  unlock(): void {
    if (this.#context.state !== 'running') void this.#context.resume();
  }

  /** Once, whoever asks; after a failure it may be asked again. */
  loadSounds(onProgress: (progress: FontProgress) => void): Promise<void> {
    this.#sounds ??= this.#loadSounds(onProgress).catch((error: unknown) => {
      this.#sounds = undefined;
      throw error;
    });
    return this.#sounds;
  }

  async #loadSounds(onProgress: (progress: FontProgress) => void): Promise<void> {
    const font = await fetchFont(onProgress);
    // Large, and of no use before the font is there.
    const { Synth } = await import('./synth.ts');
    const synth = await Synth.create(this.#context, font, (instrument) => this.volumeOf(instrument));
    for (const [channel, instrument] of this.#scheduler.channels.lent()) synth.assign(channel, instrument, this.now);
    synth.onEnd = () => this.#ended();
    this.#synth = synth;
    this.setMasterVolume(this.#masterVolume);
    this.#warmAhead();
  }

  /** The synthesizer is no more: the music stands where it was until there is another. */
  #ended(): void {
    this.#synth = undefined;
    this.#sounds = undefined;
    this.seek(this.position);
    this.onSoundsLost();
  }

  #warmAhead(): void {
    for (const { instrument, pitch, velocity } of this.notes.notes(this.notes.firstAt(this.frontier))) this.#warm(instrument, pitch, velocity);
  }

  #warm(instrument: number, pitch: number, velocity: number): void {
    this.#synth?.warm(instrument, transposed(this.transpose, instrument, pitch), velocity);
  }

  /** Music that is heard now, for pictures: behind the scheduler by what the output takes. */
  get heard(): number {
    const known = LATENCY_CAN_BE_READ && this.#scheduler.state === 'playing';
    return Math.max(0, this.position - (known ? (this.#context.outputLatency || 0) * this.#speed : 0));
  }

  get position(): number {
    return this.#scheduler.position(this.#context.currentTime);
  }

  /** The audio clock. */
  get now(): number {
    return this.#context.currentTime;
  }

  /** Up to here it is handed over: the stream's playhead. */
  get frontier(): number {
    return this.#scheduler.frontier;
  }

  /** Nothing beyond the frontier is heard before play, or music, comes. */
  get stands(): boolean {
    return this.#scheduler.state !== 'playing';
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
    for (const { onset, instrument, pitch, velocity } of update.notes) if (onset >= this.frontier) this.#warm(instrument, pitch, velocity);
  }

  setSpeed(speed: number): void {
    this.#speed = speed;
    this.#scheduler.setSpeed(speed, this.#context.currentTime);
  }

  setTranspose(semitones: number): void {
    this.transpose = semitones;
    this.#scheduler.setTranspose(semitones);
    this.#synth?.forgetCold();
    this.#warmAhead();
  }

  setMasterVolume(volume: number): void {
    this.#masterVolume = volume;
    this.#synth?.output.setVolume(this.#local ? volume : 0);
  }

  /** Whether the music sounds here, and not only where MIDI goes. */
  setLocal(local: boolean): void {
    this.#local = local;
    this.setMasterVolume(this.#masterVolume);
  }

  /** The music goes to this port too. */
  setMidiOut(port: MIDIOutput | undefined, channel: OutChannel): void {
    this.#midiOut.use(port, channel, this.#context.currentTime);
  }

  setStrips(strips: ReadonlyMap<number, Strip>): void {
    this.#strips = new Map(strips);
    for (const [channel, instrument] of this.#scheduler.channels.lent()) this.#synth?.setVolume(channel, this.volumeOf(instrument));
  }

  // What the listener plays sounds at once.

  strike(instrument: number, key: number, velocity: number): void {
    this.unlock();
    this.#synth?.liveOn(instrument, key, velocity);
  }

  lift(instrument: number, key: number): void {
    this.#synth?.liveOff(instrument, key);
  }

  /** A message for the channel of what is played, which is put in. */
  liveControl(message: [number, number, number]): void {
    this.#synth?.liveControl(message);
  }

  /** These keys should sound without delay when they are first struck. */
  warm(instrument: number, lowest: number, highest: number): void {
    for (let key = lowest; key <= highest; ++key) this.#synth?.warm(instrument, key, LIVE_VELOCITY);
  }

  /** Forgets all notes: other music follows. */
  clear(): void {
    this.pause();
    this.notes.apply({ from: 0, notes: [] });
  }

  #tick(): void {
    if (this.#synth !== undefined && this.#context.state === 'running') {
      this.#scheduler.tick(this.#context.currentTime, this.mayBegin());
      this.#synth.warmNext();
    }
    this.onTick();
  }

  /** 0..127, with what is muted or not soloed at 0. */
  volumeOf(instrument: number): number {
    const strip = this.#strips.get(instrument) ?? DEFAULT_STRIP;
    const anySolo = [...this.#strips.values()].some((other) => other.solo);
    if (strip.muted || (anySolo && !strip.solo)) return 0;
    return Math.round(strip.volume * 127);
  }

  /** Of performance.now(): when that is heard which sounds at this time of the audio clock. */
  #heardAt(time: number): number {
    const { contextTime, performanceTime } = LATENCY_CAN_BE_READ ? this.#context.getOutputTimestamp() : {};
    const read = contextTime && performanceTime ? performanceTime - contextTime * 1000 : performance.now() - this.#context.currentTime * 1000;
    // Read at any one moment it is a few milliseconds off, which would be heard in a DAW; a jump is a jump of the device.
    const off = read - this.#clockOffset;
    this.#clockOffset += Math.abs(off) > CLOCK_JUMP_MS ? off : off * CLOCK_EASE;
    return time * 1000 + this.#clockOffset;
  }

  // Notes may be scheduled only once there is a synthesizer: the clock sees to that.
  readonly #sink: Sink = {
    noteOn: (...note) => {
      this.#synth?.noteOn(...note);
      this.#midiOut.noteOn(...note);
    },
    noteOff: (...note) => {
      this.#synth?.noteOff(...note);
      this.#midiOut.noteOff(...note);
    },
    assign: (...lease) => {
      this.#synth?.assign(...lease);
      this.#midiOut.assign(...lease);
    },
    silence: (now, last) => {
      this.#midiOut.silence(now, last);
      return this.#synth?.silence(now, last) ?? now;
    },
  };
}
