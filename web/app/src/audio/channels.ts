// Which of the synthesizer's 16 channels plays which instrument. Channel 9 is the drums'; the other 15 are lent, and
// a 16th instrument gets the channel that has been idle longest.
import { DRUMS } from '../music/general-midi.ts';

export const DRUM_CHANNEL = 9;
const CHANNELS = 16;

export interface Lease {
  channel: number;
  /** The channel played another instrument before, or none: its program and volume must be set. */
  fresh: boolean;
  /** It was still sounding: whoever asked must end what sounds there. */
  stolen: boolean;
}

export class Channels {
  readonly #instrument: (number | undefined)[] = Array.from({ length: CHANNELS }, () => undefined);
  readonly #lastUsed = new Float64Array(CHANNELS);

  constructor() {
    this.#instrument[DRUM_CHANNEL] = DRUMS;
  }

  /** `held(channel)` tells how many notes sound, or will, on a channel; `now` orders the uses. */
  lease(instrument: number, now: number, held: (channel: number) => number): Lease {
    const known = this.channelOf(instrument);
    if (known !== undefined) {
      this.#lastUsed[known] = now;
      return { channel: known, fresh: false, stolen: false };
    }
    let best = -1;
    let bestRank = Infinity;
    for (let channel = 0; channel < CHANNELS; ++channel) {
      if (channel === DRUM_CHANNEL) continue;
      // Never lent, then idle, then sounding; within each, the one unused longest.
      const group = this.#instrument[channel] === undefined ? 0 : held(channel) === 0 ? 1 : 2;
      const rank = group * 1e9 + this.#lastUsed[channel]!;
      if (rank < bestRank) [best, bestRank] = [channel, rank];
    }
    const stolen = this.#instrument[best] !== undefined && held(best) > 0;
    this.#instrument[best] = instrument;
    this.#lastUsed[best] = now;
    return { channel: best, fresh: true, stolen };
  }

  /** [channel, instrument] of those that were lent. */
  *lent(): Generator<[number, number]> {
    for (const [channel, instrument] of this.#instrument.entries()) if (instrument !== undefined) yield [channel, instrument];
  }

  channelOf(instrument: number): number | undefined {
    const channel = this.#instrument.indexOf(instrument);
    return channel < 0 ? undefined : channel;
  }
}
