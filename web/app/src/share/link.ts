// Music in a link: notes and settings, deflated, in the fragment, which browsers send to nobody. Whoever made a link may
// mean harm: what is read is bounded before it is looked at, and every value is checked.
import type { Note } from 'midinfinite';
import { DRUMS } from '../music/general-midi.ts';
import { readSettings, type SharedSettings } from './settings.ts';

export type SharedNote = Omit<Note, 'event'>;

export interface Shared {
  settings: SharedSettings;
  /** From 0 on, in order. */
  notes: SharedNote[];
}

export const PREFIX = '#music=';
/** Of a link's fragment, in characters: what chat programs and mail take. */
const LONGEST = 16_000;
const MOST_BYTES = 200_000;
const MOST_NOTES = 20_000;
const MOST_SECONDS = 6 * 3600;
const TICKS = 100;
const LONGEST_NOTE = 1000;
/** More would hold up whoever plays them. */
const MOST_NOTES_A_SECOND = 1000;
const VERSION = 1;

export class LinkError extends Error {}

/** A link to the latest part of the notes that fits, and when in the music that part begins. */
export async function writeLink(page: string, notes: readonly SharedNote[], settings: SharedSettings): Promise<{ link: string; from: number }> {
  const of = async (count: number) => PREFIX + encode(await deflate(pack(notes.slice(notes.length - count), settings)));
  let fits = 0;
  let fragment = await of(0);
  const whole = notes.length <= MOST_NOTES ? await of(notes.length) : '';
  if (whole !== '' && whole.length <= LONGEST) [fits, fragment] = [notes.length, whole];
  else {
    for (let low = 1, high = Math.min(notes.length, MOST_NOTES); low <= high; ) {
      const count = (low + high) >>> 1;
      const tried = await of(count);
      if (tried.length <= LONGEST) {
        [fits, fragment] = [count, tried];
        low = count + 1;
      } else high = count - 1;
    }
  }
  return { link: page.split('#')[0] + fragment, from: fits === notes.length ? 0 : (notes[notes.length - fits]?.onset ?? 0) };
}

/** undefined: the fragment is about something else. Rejects with a LinkError that says what is wrong. */
export async function readLink(fragment: string): Promise<Shared | undefined> {
  if (!fragment.startsWith(PREFIX)) return undefined;
  if (fragment.length > LONGEST) throw new LinkError('it is longer than the app makes them');
  return unpack(await inflate(decode(fragment.slice(PREFIX.length))));
}

// Columns deflate better than rows: [version, length of settings, settings as JSON, count, onset steps, durations,
// instruments, pitches, velocities]. Numbers are varints.
function pack(notes: readonly SharedNote[], settings: SharedSettings): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const number = (value: number) => {
    for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
    bytes.push(value);
  };
  const text = new TextEncoder().encode(JSON.stringify(settings));
  number(VERSION);
  number(text.length);
  for (const byte of text) bytes.push(byte);
  number(notes.length);
  const tick = (seconds: number) => Math.round(seconds * TICKS);
  const first = tick(notes[0]?.onset ?? 0);
  let before = first;
  for (const { onset } of notes) {
    number(Math.max(0, tick(onset) - before));
    before = Math.max(before, tick(onset));
  }
  for (const { duration } of notes) number(Math.min(LONGEST_NOTE, Math.max(1, tick(duration))));
  for (const { instrument } of notes) number(instrument);
  for (const { pitch } of notes) number(pitch);
  for (const { velocity } of notes) number(velocity);
  return Uint8Array.from(bytes);
}

function unpack(bytes: Uint8Array): Shared {
  let at = 0;
  const number = (lowest: number, highest: number): number => {
    let value = 0;
    for (let place = 1; place <= 128 ** 4; place *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new LinkError('it was cut off');
      value += (byte & 127) * place;
      if (byte >= 128) continue;
      if (value < lowest || value > highest) throw new LinkError('it holds what the app never writes');
      return value;
    }
    throw new LinkError('it holds what the app never writes');
  };
  if (number(0, 1000) !== VERSION) throw new LinkError('it is of another version of the app');
  const length = number(0, bytes.length - at);
  const settings = readSettings(parse(bytes.subarray(at, (at += length))));
  if (settings === undefined) throw new LinkError('its settings are none of the app’s');
  const count = number(1, MOST_NOTES);
  // Five columns of at least a byte each: nothing is made for notes that cannot be there.
  if (count * 5 > bytes.length - at) throw new LinkError('it was cut off');
  const column = (lowest: number, highest: number) => Array.from({ length: count }, () => number(lowest, highest));
  const steps = column(0, MOST_SECONDS * TICKS);
  const durations = column(1, LONGEST_NOTE);
  const instruments = column(0, DRUMS);
  const pitches = column(0, 127);
  const velocities = column(1, 127);
  if (at !== bytes.length) throw new LinkError('it holds what the app never writes');
  let tick = 0;
  const notes = steps.map((step, i) => {
    tick += step;
    return { onset: tick / TICKS, duration: durations[i]! / TICKS, instrument: instruments[i]!, pitch: pitches[i]!, velocity: velocities[i]! };
  });
  const crowd = notes.some(({ onset }, i) => i >= MOST_NOTES_A_SECOND && onset - notes[i - MOST_NOTES_A_SECOND]!.onset < 1);
  if (crowd) throw new LinkError('it has more notes at once than anybody could hear');
  if (tick > MOST_SECONDS * TICKS) throw new LinkError('it is longer than six hours');
  return { settings, notes };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer());
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const whole = new Uint8Array(MOST_BYTES);
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (length + part.value.length > MOST_BYTES) throw new LinkError('it holds more than the app ever writes');
      whole.set(part.value, length);
      length += part.value.length;
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    throw error instanceof LinkError ? error : new LinkError('it was cut off or changed on its way');
  }
  return whole.subarray(0, length);
}

function encode(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[\w-]+$/.test(text) || text.length % 4 === 1) throw new LinkError('it was cut off or changed on its way');
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
}
