// SpessaSynth behind the scheduler's Sink, and what keeps it from stumbling: samples of the font are decoded on the
// audio thread when they are first struck, so each is struck once in silence before it is needed.
import { COMMON_DRUM_KEYS, DRUMS } from '../music/general-midi.ts';
import { DRUM_CHANNEL } from './channels.ts';
import { Output } from './output.ts';
import type { Sink } from './scheduler.ts';
import scriptUrl from './synth.worklet.ts?worker&url';
import type { FromSynth, SynthOptions, ToSynth } from './synth.worklet.ts';

/** Those of the music. */
const CHANNELS = 16;
/** Never heard: samples are struck there to have them decoded. */
const SILENT_CHANNEL = 16;
/** What the listener plays. */
const LIVE_CHANNEL = 17;
const LIVE_DRUM_CHANNEL = 16 + DRUM_CHANNEL;
/** Never heard either: in every sixteen the tenth is the drums'. */
const SILENT_DRUM_CHANNEL = 32 + DRUM_CHANNEL;
const ALL_CHANNELS = 48;
const LIVE_VOLUME = 110;
const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL = 0xb0;
const PROGRAM = 0xc0;
const VOLUME = 7;
const REVERB = 91;
const ALL_SOUND_OFF = 120;
const VOICES = 192;

export class Synth implements Sink {
  readonly output: Output;
  /** Called when it broke and is silent for good. */
  onEnd: () => void = () => {};
  readonly #node: AudioWorkletNode;
  readonly #warmed = new Set<number>();
  readonly #cold: { id: number; instrument: number; key: number; velocity: number }[] = [];
  readonly #volumeOf: (instrument: number) => number;
  #liveInstrument: number | undefined;

  private constructor(context: AudioContext, volumeOf: (instrument: number) => number) {
    this.#volumeOf = volumeOf;
    this.output = new Output(context);
    this.#node = new AudioWorkletNode(context, 'synth', {
      numberOfInputs: 0,
      outputChannelCount: [2],
      processorOptions: { channels: ALL_CHANNELS, voices: VOICES } satisfies SynthOptions,
    });
    this.#node.connect(this.output.input);
  }

  /** `volumeOf` answers 0..127 for an instrument, whenever a channel is assigned to it. */
  static async create(context: AudioContext, font: ArrayBuffer, volumeOf: (instrument: number) => number): Promise<Synth> {
    await context.audioWorklet.addModule(scriptUrl);
    const synth = new Synth(context, volumeOf);
    await synth.#load(font);
    synth.#setUp();
    return synth;
  }

  async #load(font: ArrayBuffer): Promise<void> {
    const answer = await new Promise<FromSynth>((answered) => {
      this.#node.port.onmessage = ({ data }: MessageEvent<FromSynth>) => answered(data);
      this.#node.addEventListener('processorerror', () => answered({ error: 'the synthesizer stopped' }));
      this.#node.port.postMessage({ font } satisfies ToSynth, [font]);
    });
    if ('error' in answer) throw new Error(answer.error);
    this.#node.addEventListener('processorerror', () => this.onEnd());
  }

  noteOn(channel: number, key: number, velocity: number, time?: number): void {
    this.#send(NOTE_ON, channel, [key, velocity], time);
  }

  noteOff(channel: number, key: number, time?: number): void {
    this.#send(NOTE_OFF, channel, [key, 0], time);
  }

  assign(channel: number, instrument: number, time: number): void {
    if (instrument !== DRUMS) this.#send(PROGRAM, channel, [instrument], time);
    this.#control(channel, VOLUME, this.#volumeOf(instrument), time);
  }

  setVolume(channel: number, volume: number): void {
    this.#control(channel, VOLUME, volume);
  }

  /** At once, beside the music. */
  liveOn(instrument: number, key: number, velocity: number): void {
    if (instrument === DRUMS) return this.noteOn(LIVE_DRUM_CHANNEL, key, velocity);
    if (instrument !== this.#liveInstrument) this.#send(PROGRAM, LIVE_CHANNEL, [(this.#liveInstrument = instrument)]);
    this.noteOn(LIVE_CHANNEL, key, velocity);
  }

  liveOff(instrument: number, key: number): void {
    this.noteOff(instrument === DRUMS ? LIVE_DRUM_CHANNEL : LIVE_CHANNEL, key);
  }

  liveControl([status, first, second]: [number, number, number]): void {
    this.#send(status, LIVE_CHANNEL, [first, second]);
  }

  #control(channel: number, controller: number, value: number, time?: number): void {
    this.#send(CONTROL, channel, [controller, value], time);
  }

  #send(status: number, channel: number, data: number[], time?: number): void {
    const group = channel - (channel % CHANNELS);
    this.#node.port.postMessage({ midi: [status | (channel - group), ...data], group, time } satisfies ToSynth);
  }

  silence(now: number, lastHandedOver: number): number {
    const quiet = Math.max(lastHandedOver, now + 0.03) + 0.01;
    this.output.close(now);
    for (let channel = 0; channel < CHANNELS; ++channel) this.#control(channel, ALL_SOUND_OFF, 0, quiet);
    this.output.open(quiet + 0.01);
    return quiet + 0.01;
  }

  /** Asks for a sample to be ready; done one a call of warmNext, so that a chord of new sounds does not stop the audio. */
  warm(instrument: number, key: number, velocity: number): void {
    // Fonts change samples with velocity in a few steps.
    const id = (instrument * 128 + key) * 4 + (velocity >> 5);
    if (this.#warmed.has(id)) return;
    this.#warmed.add(id);
    this.#cold.push({ id, instrument, key, velocity });
  }

  /** What was asked for is not needed any more. */
  forgetCold(): void {
    for (const { id } of this.#cold.splice(0)) this.#warmed.delete(id);
  }

  warmNext(): void {
    const next = this.#cold.shift();
    if (next === undefined) return;
    if (next.instrument !== DRUMS) this.#send(PROGRAM, SILENT_CHANNEL, [next.instrument]);
    this.#strikeSilently(next.instrument === DRUMS ? SILENT_DRUM_CHANNEL : SILENT_CHANNEL, next.key, next.velocity);
  }

  // Its voice is let go at once: there are only so many.
  #strikeSilently(channel: number, key: number, velocity: number): void {
    this.noteOn(channel, key, velocity);
    this.#control(channel, ALL_SOUND_OFF, 0);
  }

  #setUp(): void {
    for (const channel of [SILENT_CHANNEL, SILENT_DRUM_CHANNEL]) {
      this.#control(channel, VOLUME, 0);
      this.#control(channel, REVERB, 0);
    }
    this.#control(LIVE_CHANNEL, VOLUME, LIVE_VOLUME);
    this.#control(LIVE_DRUM_CHANNEL, VOLUME, LIVE_VOLUME);
    for (const key of COMMON_DRUM_KEYS) this.#strikeSilently(SILENT_DRUM_CHANNEL, key, 90);
  }
}
