// What the listener plays: on the keys of the page, of the computer or of a MIDI keyboard. It sounds at once, and what is
// recorded can be gone on from.
import { SvelteSet } from 'svelte/reactivity';
import type { Player } from '../audio/player.ts';
import { DRUMS } from '../music/general-midi.ts';
import { MidiDevices } from './midi-devices.svelte.ts';
import { Recorder, type PlayedNote } from './recorder.ts';

const LOWEST_OCTAVE = 1;
const HIGHEST_OCTAVE = 7;
const VELOCITY_STEP = 16;
const SUSTAIN = 64;
/** Controllers that a synthesizer makes something of: modulation, expression, sustain. */
const CONTROLLERS = [1, 11, SUSTAIN];
const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL = 0xb0;
const PITCH_BEND = 0xe0;

export class Live {
  /** The keys are on the page. */
  open = $state(false);
  /** Letters play. */
  typing = $state(false);
  instrument = $state(0);
  /** That of the leftmost C, as musicians count: C4 is key 60. */
  octave = $state(4);
  velocity = $state(88);
  readonly held = new SvelteSet<number>();
  /** What is being recorded: alone, or along with the music. */
  recording = $state<'alone' | 'along' | undefined>();
  /** So many notes are recorded. */
  count = $state(0);
  readonly midi = new MidiDevices();
  readonly #player: Player;
  #recorder = new Recorder();
  #along = false;
  #end = 0;
  // A key is let go on the instrument on which it was struck.
  readonly #struck = new Map<number, number>();

  constructor(player: Player) {
    this.#player = player;
    this.midi.onOut = (port, channel) => player.setMidiOut(port, channel);
    this.midi.onDeaf = () => this.releaseAll();
    this.midi.onMessage = (data) => this.#message(data);
  }

  press(key: number, velocity = this.velocity): void {
    if (key < 0 || key > 127) return;
    this.release(key);
    this.#struck.set(key, this.instrument);
    this.held.add(key);
    this.#player.strike(this.instrument, key, velocity);
    if (this.recording === undefined) return;
    this.#recorder.strike(this.instrument, this.#written(key, this.instrument), velocity, this.#now());
    this.count = this.#recorder.length;
  }

  release(key: number): void {
    const instrument = this.#struck.get(key);
    if (instrument === undefined) return;
    this.#struck.delete(key);
    this.held.delete(key);
    this.#player.lift(instrument, key);
    if (this.recording !== undefined) this.#recorder.lift(this.#written(key, instrument), this.#now());
  }

  releaseAll(): void {
    for (const key of [...this.#struck.keys()]) this.release(key);
    this.#player.liveControl([CONTROL, SUSTAIN, 0]);
  }

  moveOctave(by: number): void {
    this.releaseAll();
    this.octave = Math.min(HIGHEST_OCTAVE, Math.max(LOWEST_OCTAVE, this.octave + by));
  }

  moveVelocity(by: number): void {
    this.velocity = Math.min(127, Math.max(8, this.velocity + VELOCITY_STEP * by));
  }

  /** `along`: the music plays, and what is played belongs to it. */
  record(along: boolean): void {
    this.#recorder = new Recorder();
    this.#along = along;
    this.count = 0;
    this.recording = along ? 'along' : 'alone';
  }

  stopRecording(): void {
    if (this.recording === undefined) return;
    this.#end = this.#now();
    this.recording = undefined;
  }

  /** What was recorded, and where in the music it ended if it was played along with it. */
  recorded(): { notes: PlayedNote[]; along: number | undefined } {
    this.stopRecording();
    return { notes: this.#recorder.notes(this.#end), along: this.#along ? this.#end : undefined };
  }

  #now(): number {
    return this.recording === 'along' ? this.#player.heard : this.#player.now;
  }

  /** The music is written as it is before it is transposed. */
  #written(key: number, instrument: number): number {
    if (this.recording !== 'along' || instrument === DRUMS) return key;
    return Math.min(127, Math.max(0, key - this.#player.transpose));
  }

  #message([status = 0, first = 0, second = 0]: Uint8Array): void {
    switch (status & 0xf0) {
      case NOTE_ON:
        if (second > 0) return this.press(first, second);
        return this.release(first);
      case NOTE_OFF:
        return this.release(first);
      case CONTROL:
        if (!CONTROLLERS.includes(first)) return;
        if (first === SUSTAIN && this.recording !== undefined) this.#recorder.pedal(second >= 64, this.#now());
        return this.#player.liveControl([CONTROL, first, second]);
      case PITCH_BEND:
        return this.#player.liveControl([PITCH_BEND, first, second]);
    }
  }
}
