// SpessaSynth behind the scheduler's Sink, and what keeps it from stumbling: samples of the font are decoded on the
// audio thread when they are first struck, so each is struck once in silence before it is needed.
import { WorkletSynthesizer } from 'spessasynth_lib';
import processorUrl from 'spessasynth_lib/dist/spessasynth_processor.min.js?url';
import { COMMON_DRUM_KEYS, DRUMS } from '../music/general-midi.ts';
import { DRUM_CHANNEL } from './channels.ts';
import { Output } from './output.ts';
import type { Sink } from './scheduler.ts';

const CHANNELS = 16;
/** A seventeenth channel, never heard, on which samples are struck to have them decoded. */
const SILENT_CHANNEL = 16;
const VOLUME = 7;
const REVERB = 91;
const ALL_SOUND_OFF = 120;
const VOICES = 192;

export class Synth implements Sink {
  readonly output: Output;
  readonly #synth: WorkletSynthesizer;
  readonly #warmed = new Set<number>();
  readonly #cold: { instrument: number; key: number; velocity: number }[] = [];
  readonly #volumeOf: (instrument: number) => number;

  private constructor(context: AudioContext, volumeOf: (instrument: number) => number) {
    this.#volumeOf = volumeOf;
    this.output = new Output(context);
    this.#synth = new WorkletSynthesizer(context, { eventsEnabled: false });
    this.#synth.setSystemParameter('voiceCap', VOICES);
    this.#synth.connect(this.output.input);
  }

  /** `volumeOf` answers 0..127 for an instrument, whenever a channel is assigned to it. */
  static async create(context: AudioContext, font: ArrayBuffer, volumeOf: (instrument: number) => number): Promise<Synth> {
    await context.audioWorklet.addModule(processorUrl);
    const synth = new Synth(context, volumeOf);
    await synth.#synth.soundBankManager.addSoundBank(font, 'general-midi');
    await synth.#synth.isReady;
    synth.#warmDrums(context.currentTime);
    return synth;
  }

  noteOn(channel: number, key: number, velocity: number, time: number): void {
    this.#synth.noteOn(channel, key, velocity, { time });
  }

  noteOff(channel: number, key: number, time: number): void {
    this.#synth.noteOff(channel, key, { time });
  }

  assign(channel: number, instrument: number, time: number): void {
    if (instrument !== DRUMS) this.#synth.programChange(channel, instrument, { time });
    this.#synth.controllerChange(channel, VOLUME, this.#volumeOf(instrument), { time });
  }

  setVolume(channel: number, volume: number): void {
    this.#synth.controllerChange(channel, VOLUME, volume);
  }

  silence(now: number, lastHandedOver: number): number {
    const quiet = Math.max(lastHandedOver, now + 0.03) + 0.01;
    this.output.close(now);
    for (let channel = 0; channel < CHANNELS; ++channel) this.#synth.controllerChange(channel, ALL_SOUND_OFF, 0, { time: quiet });
    this.output.open(quiet + 0.01);
    return quiet + 0.01;
  }

  /** Asks for a sample to be ready; done one a call of warmNext, so that a chord of new sounds does not stop the audio. */
  warm(instrument: number, key: number, velocity: number): void {
    // Fonts change samples with velocity in a few steps.
    const id = (instrument * 128 + key) * 4 + (velocity >> 5);
    if (this.#warmed.has(id) || instrument === DRUMS) return;
    this.#warmed.add(id);
    this.#cold.push({ instrument, key, velocity });
  }

  warmNext(): void {
    const next = this.#cold.shift();
    if (next === undefined) return;
    this.#synth.programChange(SILENT_CHANNEL, next.instrument);
    this.#synth.noteOn(SILENT_CHANNEL, next.key, next.velocity);
    this.#synth.noteOff(SILENT_CHANNEL, next.key);
  }

  #warmDrums(now: number): void {
    this.#synth.addNewChannel();
    this.#synth.controllerChange(SILENT_CHANNEL, VOLUME, 0);
    this.#synth.controllerChange(SILENT_CHANNEL, REVERB, 0);
    this.output.close(now);
    for (const key of COMMON_DRUM_KEYS) {
      this.#synth.noteOn(DRUM_CHANNEL, key, 90);
      this.#synth.noteOff(DRUM_CHANNEL, key);
    }
    this.#synth.controllerChange(DRUM_CHANNEL, ALL_SOUND_OFF, 0);
    this.output.open(now + 0.05);
  }
}
