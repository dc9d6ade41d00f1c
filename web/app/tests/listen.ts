// A page that records what its synthesizer is told, what reaches the speakers, what the engine
// writes and how long its own tasks take; and the figures of such a record.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { dist, openIn, PlainHost, type Opened } from './browser.ts';

/** SCALE=0.1 makes every length a tenth: a quick look, not a measurement. */
const SCALE = Number(process.env.SCALE ?? 1);
export const scaled = (seconds: number) => seconds * SCALE;
export const scaledCount = (count: number) => Math.max(2, Math.round(count * SCALE));

/** Times in seconds: `audio` the audio clock's, `wall` since 1970. */
export interface Heard {
  /** The loudest sample of each 1024. */
  peaks: { wall: number; audio: number; peak: number }[];
  struck: { wall: number; audio: number; channel: number; program: number; key: number }[];
  clicks: { wall: number; audio: number }[];
  written: { wall: number; notes: number; generatedTo: number }[];
  /** Tasks of the page that took more than 50 ms. */
  longTasks: { wall: number; ms: number }[];
}

export interface WrittenNote {
  onset: number;
  instrument: number;
  pitch: number;
  event: number;
}

/** For addInitScript; the page must allow a module from a blob. */
export function listenIn(): void {
  const heard: Heard = { peaks: [], struck: [], clicks: [], written: [], longTasks: [] };
  const wall = () => Date.now() / 1000;
  const music: WrittenNote[] = [];
  Object.assign(window, { heard, music });
  const meter = `registerProcessor('meter', class extends AudioWorkletProcessor {
    peak = 0; frames = 0; batch = [];
    process([input]) {
      for (const samples of input) for (const sample of samples) this.peak = Math.max(this.peak, Math.abs(sample));
      this.frames += 128;
      if (this.frames < 1024) return true;
      this.batch.push({ wall: Date.now() / 1000, audio: currentTime, peak: this.peak });
      this.peak = this.frames = 0;
      if (this.batch.length === 25) this.port.postMessage(this.batch.splice(0));
      return true;
    }
  })`;
  let context: AudioContext | undefined;
  window.AudioContext = class extends AudioContext {
    constructor(options?: AudioContextOptions) {
      super(options);
      context = this;
      void this.audioWorklet.addModule(URL.createObjectURL(new Blob([meter], { type: 'text/javascript' })));
    }
  };
  const connect = AudioNode.prototype.connect as (this: AudioNode, ...all: unknown[]) => AudioNode;
  AudioNode.prototype.connect = function (this: AudioNode, ...all: unknown[]) {
    if (all[0] instanceof AudioDestinationNode && this.context === context) {
      const node = new AudioWorkletNode(this.context, 'meter', { numberOfOutputs: 0 });
      node.port.onmessage = ({ data }) => heard.peaks.push(...data);
      connect.call(this, node);
    }
    return connect.apply(this, all);
  } as AudioNode['connect'];

  const programs = new Array<number>(16).fill(0);
  const { postMessage } = MessagePort.prototype;
  MessagePort.prototype.postMessage = function (this: MessagePort, ...all: Parameters<MessagePort['postMessage']>) {
    const { midi, group, time } = (all[0] ?? {}) as { midi?: number[]; group?: number; time?: number };
    if (midi !== undefined && group === 0) {
      const [status = 0, first = 0] = midi;
      const channel = status & 15;
      if (status >> 4 === 0xc) programs[channel] = first;
      // The drums are struck once in silence, at no time of their own.
      if (status >> 4 === 9 && time !== undefined) {
        heard.struck.push({ wall: wall(), audio: time, channel, program: channel === 9 ? 128 : programs[channel]!, key: first });
      }
    }
    return postMessage.apply(this, all);
  } as MessagePort['postMessage'];

  window.Worker = class extends Worker {
    constructor(...all: ConstructorParameters<typeof Worker>) {
      super(...all);
      this.addEventListener('message', ({ data }) => {
        const notes = data?.notes ?? data?.result?.notes;
        if (!(notes instanceof Float64Array)) return;
        const { from, state } = data.result ?? data;
        heard.written.push({ wall: wall(), notes: notes.length / 6, generatedTo: state.generatedTo });
        music.splice(0, Infinity, ...music.filter(({ event }) => event < from));
        for (let i = 0; i < notes.length; i += 6) music.push({ onset: notes[i]!, instrument: notes[i + 2]!, pitch: notes[i + 3]!, event: notes[i + 5]! });
      });
    }
  };
  const click = () => heard.clicks.push({ wall: wall(), audio: context?.currentTime ?? 0 });
  addEventListener('pointerdown', click, { capture: true });
  addEventListener('keydown', click, { capture: true });
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) heard.longTasks.push({ wall: (performance.timeOrigin + task.startTime) / 1000, ms: task.duration });
  }).observe({ type: 'longtask', buffered: true });
}

/** Playwright's page or Puppeteer's. */
interface AnyPage {
  evaluate<Result>(inPage: () => Result): Promise<Awaited<Result>>;
}
export const recorded = (page: AnyPage) => page.evaluate(() => (window as unknown as { heard: Heard }).heard);
export const forgetRecord = (page: AnyPage) =>
  page.evaluate(() => {
    for (const list of Object.values((window as unknown as { heard: Heard }).heard)) list.length = 0;
  });
/** What the engine has written and not taken back. */
export const music = (page: AnyPage) => page.evaluate(() => (window as unknown as { music: WrittenNote[] }).music);
/** "relaxed-threads, 1 thread; the music ran out 0 times" */
export const meterSays = (page: AnyPage) => page.evaluate(() => document.querySelector<HTMLElement>('dl.meter')?.title ?? '');
export const underruns = async (page: AnyPage) => Number(/ran out (\d+) times/.exec(await meterSays(page))![1]);
export const pause = (seconds: number) => new Promise<void>((over) => setTimeout(over, 1000 * seconds));

/** The built app, with the headers that threads need or without them. */
export async function serve(threads = true): Promise<PlainHost> {
  const host = await new PlainHost(dist).start();
  host.instead = (_path, _request, response) => {
    if (threads) response.setHeader('Cross-Origin-Opener-Policy', 'same-origin').setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    return false;
  };
  return host;
}

export async function openListening(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: true, ...options });
  await context.addInitScript(listenIn);
  return openIn(context, address);
}

export const untilReady = (page: Page) => page.getByText('Ready. Drop a MIDI file').waitFor({ timeout: 60_000 });

const SILENT = 0.001;

export interface Gaps {
  seconds: number;
  /** The longest time in which the audio graph gave nothing. */
  stall: number;
  /** The longest silence in which a note began, and the longest of all (music has rests). */
  gap: number;
  rest: number;
}

export function gaps({ peaks, struck }: Heard): Gaps {
  const first = peaks[0]!;
  const last = peaks.at(-1)!;
  const found: Gaps = { seconds: last.wall - first.wall, stall: 0, gap: 0, rest: 0 };
  let silentSince: number | undefined;
  for (const [i, { wall, audio, peak }] of peaks.entries()) {
    if (i > 0) found.stall = Math.max(found.stall, wall - peaks[i - 1]!.wall);
    if (peak < SILENT && i < peaks.length - 1) {
      silentSince ??= audio;
      continue;
    }
    if (silentSince === undefined) continue;
    const begun = struck.find((note) => note.audio > silentSince! && note.audio < audio - 0.2);
    if (begun) found.gap = Math.max(found.gap, audio - begun.audio);
    found.rest = Math.max(found.rest, audio - silentSince);
    silentSince = undefined;
  }
  return found;
}

/** From a moment to the first sample above silence, in seconds. */
export function soundAfter({ peaks }: Heard, wall: number): number | undefined {
  const first = peaks.find((window) => window.wall >= wall && window.peak > SILENT);
  return first && first.wall - wall;
}

export interface Played extends Gaps {
  asked: number;
  notes: number;
  underruns: number;
  longTasks: Heard['longTasks'];
}

/** Plays for so long and says how it went. */
export async function playFor(page: AnyPage, asked: number, what: string): Promise<Played> {
  await forgetRecord(page);
  const before = await underruns(page);
  await pause(asked);
  const record = await recorded(page);
  const played: Played = {
    ...gaps(record), asked, notes: record.struck.length, underruns: (await underruns(page)) - before, longTasks: record.longTasks,
  };
  console.log(`${what} (${(await meterSays(page)).split(';')[0]}): ${fixed(played.seconds, 0)} s, ${played.notes} notes, ${played.underruns} underruns; ` +
    `longest gap ${fixed(played.gap)} s, longest rest ${fixed(played.rest)} s, longest stall of the audio graph ${fixed(played.stall)} s`);
  return played;
}

export function expectUnbroken({ asked, seconds, notes, underruns, gap, stall }: Played): void {
  expect(seconds).toBeGreaterThan(asked - 3);
  expect(notes).toBeGreaterThan(asked / 2);
  expect(underruns).toBe(0);
  expect(gap).toBeLessThan(2);
  expect(stall).toBeLessThan(2);
}

export function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]!;
}

export const fixed = (value: number, digits = 2) => Number(value.toFixed(digits));
