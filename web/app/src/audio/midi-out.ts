// The music to a MIDI port, in time with what is heard: behind the scheduler's Sink beside the synthesizer. What sounds
// over there is known here, so that a pause, another port or the end of the page leaves nothing hanging.
import { DRUMS } from '../music/general-midi.ts';
import { DRUM_CHANNEL } from './channels.ts';
import type { Sink } from './scheduler.ts';

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL = 0xb0;
const PROGRAM = 0xc0;
const ALL_NOTES_OFF = 123;

/** 0..15: everything on this channel; undefined: each instrument on its own, with its program. */
export type OutChannel = number | undefined;

export class MidiOut implements Sink {
  #port: MIDIOutput | undefined;
  #channel: OutChannel;
  readonly #instruments = new Map<number, number>([[DRUM_CHANNEL, DRUMS]]);
  // The scheduler's channel and key → the channel over there.
  readonly #down = new Map<number, number>();
  readonly #used = new Set<number>();
  // The clocks drift against each other: the end of a short note must not overtake its beginning.
  readonly #latest = new Map<number, number>();
  readonly #timeOf: (audio: number) => number;
  readonly #isHeard: (instrument: number) => boolean;

  /** `timeOf` turns the audio clock's time into performance.now()'s; what is not heard is not sent. */
  constructor(timeOf: (audio: number) => number, isHeard: (instrument: number) => boolean) {
    this.#timeOf = timeOf;
    this.#isHeard = isHeard;
  }

  /** `now`: of the audio clock. */
  use(port: MIDIOutput | undefined, channel: OutChannel, now: number): void {
    if (port === this.#port && channel === this.#channel) return;
    this.silence(now, now);
    this.#port = port;
    this.#channel = channel;
    this.#used.clear();
    for (const [own, instrument] of this.#instruments) this.#program(own, instrument, now);
  }

  noteOn(channel: number, key: number, velocity: number, time: number): void {
    const instrument = this.#instruments.get(channel);
    if (this.#port === undefined || instrument === undefined || !this.#isHeard(instrument)) return;
    const out = this.#channel ?? channel;
    // A key is down once: struck again by another instrument on the same channel, it is let go first.
    if (this.#isDown(out, key)) this.#note(NOTE_OFF, out, key, 0, time);
    this.#down.set(source(channel, key), out);
    this.#used.add(out);
    this.#note(NOTE_ON, out, key, velocity, time);
  }

  noteOff(channel: number, key: number, time: number): void {
    const out = this.#down.get(source(channel, key));
    if (out === undefined) return;
    this.#down.delete(source(channel, key));
    if (!this.#isDown(out, key)) this.#note(NOTE_OFF, out, key, 0, time);
  }

  assign(channel: number, instrument: number, time: number): void {
    this.#instruments.set(channel, instrument);
    this.#program(channel, instrument, time);
  }

  /** What sounds ends now; and once more after what was sent ahead, for a port that cannot take it back. */
  silence(now: number, lastHandedOver: number): number {
    // Of the standard, but not in every browser, nor in TypeScript's library.
    (this.#port as { clear?: () => void } | undefined)?.clear?.();
    for (const time of new Set([now, lastHandedOver])) {
      for (const [from, out] of this.#down) this.#note(NOTE_OFF, out, from % 128, 0, time);
      for (const out of this.#used) this.#send([CONTROL | out, ALL_NOTES_OFF, 0], this.#timeOf(time));
    }
    this.#down.clear();
    return now;
  }

  #isDown(out: number, key: number): boolean {
    return [...this.#down].some(([from, to]) => to === out && from % 128 === key);
  }

  #program(channel: number, instrument: number, time: number): void {
    if (this.#channel === undefined && instrument !== DRUMS) this.#send([PROGRAM | channel, instrument], this.#timeOf(time));
  }

  #note(status: number, out: number, key: number, velocity: number, time: number): void {
    const at = Math.max(this.#timeOf(time), this.#latest.get(source(out, key)) ?? 0);
    this.#latest.set(source(out, key), at);
    this.#send([status | out, key, velocity], at);
  }

  /** `at`: of performance.now(). */
  #send(message: number[], at: number): void {
    try {
      this.#port?.send(message, at);
    } catch {
      // The port was unplugged: whoever watches the ports says so.
      this.#port = undefined;
      this.#down.clear();
    }
  }
}

const source = (channel: number, key: number) => channel * 128 + key;
