import { expect, test } from 'vitest';
import { LinkError, PREFIX, readLink, writeLink, type SharedNote } from './link.ts';
import type { SharedSettings } from './settings.ts';

const settings: SharedSettings = { seed: 7, ensemble: [0, 128], temperature: 1, topP: 0.98, density: 0, frequencyPenalty: -0.5, polyphony: 16, pace: 40, scale: 0xab5, speed: 1, transpose: -3 };
const note = (i: number): SharedNote => ({ onset: i / 4, duration: 0.5, instrument: i % 129, pitch: (i * 7) % 128, velocity: 1 + (i % 127) });
const piece = (count: number) => Array.from({ length: count }, (_, i) => note(i));
const fragment = (link: string) => link.slice(link.indexOf('#'));
const page = 'https://music.example/endless/';

const pressed = async (bytes: Uint8Array<ArrayBuffer>, format: CompressionFormat = 'deflate-raw') => {
  const packed = Buffer.from(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream(format))).arrayBuffer());
  return PREFIX + packed.toString('base64url');
};
const pressedRandom = () => pressed(Uint8Array.from({ length: 3000 }, (_, i) => (i * 2654435761) >>> 24));
/** As the app would pack it, with one thing wrong. */
function packed(change: { settings?: string; version?: number; count?: number; steps?: number[]; columns?: number[][]; more?: number[] } = {}): Uint8Array<ArrayBuffer> {
  const text = [...new TextEncoder().encode(change.settings ?? JSON.stringify(settings))];
  const columns = change.columns ?? [[50], [0], [60], [90]];
  const length = [(text.length % 128) + 128, Math.floor(text.length / 128)];
  return Uint8Array.from([change.version ?? 1, ...length, ...text, change.count ?? 1, ...(change.steps ?? [0]), ...columns.flat(), ...(change.more ?? [])]);
}

test('what was shared is what is read, from its first note on', async () => {
  const notes = piece(200);
  const { link, from } = await writeLink(`${page}#old`, notes.map((one) => ({ ...one, onset: one.onset + 3 })), settings);
  expect(from).toBe(0);
  expect(link.startsWith(page + PREFIX)).toBe(true);
  expect(await readLink(fragment(link))).toEqual({ settings, notes });
});

test('a link stays below 16,000 characters: a longer piece shares its latest part', async () => {
  let state = 1;
  const random = (below: number) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % below;
  const notes = piece(9000).map((one) => ({ ...one, pitch: random(128), velocity: 1 + random(127), instrument: random(129) }));
  const { link, from } = await writeLink(page, notes, settings);
  expect(fragment(link).length).toBeLessThanOrEqual(16_000);
  expect(fragment(link).length).toBeGreaterThan(15_000);
  const shared = (await readLink(fragment(link)))!;
  expect(from).toBeGreaterThan(0);
  expect(shared.notes.length).toBe(notes.filter(({ onset }) => onset >= from).length);
  expect(shared.notes.at(-1)!.pitch).toBe(notes.at(-1)!.pitch);
});

test('the hand-made link of the tests below is a good one before it is spoilt', async () => {
  expect((await readLink(await pressed(packed())))!.notes).toEqual([{ onset: 0, duration: 0.5, instrument: 0, pitch: 60, velocity: 90 }]);
});

test('other fragments are none of ours', async () => {
  for (const other of ['', '#', '#music', '#tab=2', 'music=AAAA']) expect(await readLink(other)).toBeUndefined();
});

test('what is cut off, changed, or of another kind is a line', async () => {
  const good = fragment((await writeLink(page, piece(50), settings)).link);
  const bad: string[] = [PREFIX, PREFIX + 'A', PREFIX + '%00', PREFIX + 'ä', PREFIX + ' ', `${good} `, `${good}=`, PREFIX + 'A'.repeat(16_000), await pressed(packed(), 'gzip'), await pressedRandom()];
  for (let i = PREFIX.length; i < good.length - 1; i += 7) bad.push(good.slice(0, i + 1));
  for (const one of bad) await expect(readLink(one), `${one.length} of ${good.length}: ${one.slice(-40)}`).rejects.toBeInstanceOf(LinkError);
  for (let i = PREFIX.length; i < good.length; ++i) {
    const changed = good.slice(0, i) + (good[i] === 'A' ? 'B' : 'A') + good.slice(i + 1);
    await readLink(changed).catch((error: unknown) => expect(error).toBeInstanceOf(LinkError));
  }
});

test('a few bytes that inflate to gigabytes are let go early', async () => {
  const bomb = await pressed(new Uint8Array(11e6));
  expect(bomb.length).toBeLessThan(16_000);
  const before = process.memoryUsage().arrayBuffers;
  await expect(readLink(bomb)).rejects.toThrow('more than');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8e6);
});

test('numbers beyond their range are a line, and claims of more notes than there are', async () => {
  const big = [0xff, 0xff, 0xff, 0xff, 0x0f];
  const bad = [
    { version: 2 },
    { count: 0 },
    { count: 100 },
    { steps: big },
    { steps: [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f] },
    { columns: [[0], [0], [60], [90]] },
    { columns: [[0xe9, 0x07], [0], [60], [90]] },
    { columns: [[50], [0x81, 0x01], [60], [90]] },
    { columns: [[50], [0], [0x80, 0x01], [90]] },
    { columns: [[50], [0], [60], [0]] },
    { columns: [[50], [0], [60], [0x80, 0x01]] },
    { more: [0] },
  ];
  for (const change of bad) await expect(readLink(await pressed(packed(change))), JSON.stringify(change)).rejects.toBeInstanceOf(LinkError);
  await expect(readLink(await pressed(Uint8Array.from([1, ...big])))).rejects.toBeInstanceOf(LinkError);
});

test('a crowd of notes at one moment is a line', async () => {
  const crowd = Array.from({ length: 5000 }, () => note(0));
  await expect(readLink(fragment((await writeLink(page, crowd, settings)).link))).rejects.toThrow('more notes at once');
});

test('settings that the app would not have written make the link bad', async () => {
  const spoilt = (change: object) => JSON.stringify({ ...settings, ...change });
  const bad = [
    '', 'null', '[]', '7', '{', '{}', spoilt({ more: 1 }), spoilt({ seed: -1 }), spoilt({ seed: 1.5 }), spoilt({ seed: '7' }), spoilt({ ensemble: [129] }),
    spoilt({ ensemble: [0, 0] }), spoilt({ ensemble: '0' }), spoilt({ ensemble: [[0]] }), spoilt({ temperature: 1e9 }), spoilt({ temperature: null }),
    spoilt({ scale: 0 }), spoilt({ scale: 4096 }), spoilt({ speed: 0 }), spoilt({ transpose: 0.5 }), `{"__proto__":{"x":1},${JSON.stringify(settings).slice(1)}`,
  ];
  for (const one of bad) await expect(readLink(await pressed(packed({ settings: one }))), one).rejects.toThrow('settings');
});

test('random bytes never do more than a line', async () => {
  for (let seed = 1; seed <= 300; ++seed) {
    const bytes = packed();
    for (let hits = 0; hits < 1 + (seed % 5); ++hits) bytes[(seed * 7919 + hits * 104729) % bytes.length] = (seed * 31 + hits * 17) & 255;
    await readLink(await pressed(bytes)).catch((error: unknown) => expect(error).toBeInstanceOf(LinkError));
  }
});
