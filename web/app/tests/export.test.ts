// What is saved: MIDI of all or of a stretch, the mix as WAV and a WAV for each instrument, made while the music plays and
// without holding up the page; and what reaches the speakers never clips.
import { readFileSync } from 'node:fs';
import type { Browser, Download, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launch, open, type PlainHost, SECONDS, untilHeard } from './browser.ts';
import { serve } from './listen.ts';

let host: PlainHost;
let browser: Browser;
beforeAll(async () => {
  host = await serve();
  browser = await launch();
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

const bytes = async (download: Download) => readFileSync(await download.path());
const save = async (page: Page, name: string) => {
  const download = page.waitForEvent('download', { timeout: 120 * SECONDS });
  await page.getByRole('button', { name }).click();
  return bytes(await download);
};
/** Of 24-bit samples. */
function levels(wav: Buffer): { peak: number; seconds: number } {
  expect([wav.toString('latin1', 0, 4), wav.readUInt16LE(34)]).toEqual(['RIFF', 24]);
  let most = 0;
  for (let at = 44; at + 3 <= wav.length; at += 3) most = Math.max(most, Math.abs(wav.readIntLE(at, 3)));
  return { peak: 20 * Math.log10(most / 2 ** 23), seconds: (wav.length - 44) / 6 / 44100 };
}
const tracks = (midi: Buffer) => midi.toString('latin1').split('MTrk').length - 1;

async function playFor(page: Page, seconds: number, preset: string): Promise<void> {
  await page.getByRole('button', { name: preset }).click();
  await page.locator('.start').click();
  await untilHeard(page);
  await page.waitForTimeout(seconds * SECONDS);
}

test('a stretch picked on the ruler, or with keys, is saved as MIDI and as WAV, and the page is not held up', async () => {
  const { page, complaints } = await open(browser, host.address, { acceptDownloads: true });
  await playFor(page, 8, 'Jazz trio');
  const whole = await (async () => {
    const download = page.waitForEvent('download');
    await page.keyboard.press('e');
    return bytes(await download);
  })();

  // Drag over the ruler, three seconds to the left of the playhead.
  const roll = (await page.locator('.surface').boundingBox())!;
  const x = roll.x + roll.width * 0.45;
  await page.mouse.move(x, roll.y + 10);
  await page.mouse.down();
  await page.mouse.move(x - 150, roll.y + 12, { steps: 4 });
  await page.mouse.up();
  await expect.poll(() => page.locator('.selection').innerText()).toMatch(/Selected 0:0\d to 0:0\d/);
  await page.screenshot({ path: process.env.SHOTS && `${process.env.SHOTS}/selection.png` });
  await page.locator('.surface').focus();
  await page.keyboard.press('Escape');
  expect(await page.locator('.selection').count()).toBe(0);
  await page.keyboard.press('Space');
  for (let i = 0; i < 3; ++i) await page.keyboard.press('Shift+ArrowLeft');
  await expect.poll(() => page.locator('.selection').innerText()).toMatch(/Selected/);
  await page.getByRole('button', { name: 'Save…' }).click();
  expect(await page.getByRole('radio', { name: 'A stretch' }).isChecked()).toBe(true);
  const stretch = await save(page, 'MIDI file');
  expect(stretch.subarray(0, 4).toString()).toBe('MThd');
  expect(tracks(stretch)).toBeGreaterThan(0);
  expect(stretch.length).toBeLessThan(whole.length);

  // Long tasks while the file is made.
  await page.evaluate(() => {
    const long: number[] = [];
    new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
    Object.assign(window, { long });
  });
  const part = levels(await save(page, 'WAV as it is heard'));
  expect(part.peak).toBeGreaterThan(-1.2);
  expect(part.peak).toBeLessThan(-0.8);
  expect(part.seconds).toBeGreaterThan(3);
  expect(part.seconds).toBeLessThan(15);
  const long = await page.evaluate(() => (window as unknown as { long: number[] }).long);
  console.log('long tasks while a WAV is made, ms:', long);
  expect(Math.max(0, ...long)).toBeLessThan(200);

  // Times that are none.
  const to = page.getByRole('textbox', { name: 'To' });
  await to.fill('0:00');
  await to.blur();
  expect(await page.locator('.wrong').innerText()).toContain('ends before it begins');
  await to.fill('soon');
  await to.blur();
  expect(await page.locator('.wrong').innerText()).toContain('1:23');
  expect(complaints).toEqual([]);
}, 180 * SECONDS);

test('the mix and its stems are made faster than they play, and can be cancelled; what is muted is in neither', async () => {
  const { page, complaints } = await open(browser, host.address, { acceptDownloads: true });
  await playFor(page, 12, 'Pop band');
  await page.keyboard.press('Space');
  await page.keyboard.press('E');
  const before = Date.now();
  const mix = levels(await save(page, 'WAV as it is heard'));
  const took = (Date.now() - before) / 1000;
  console.log(`${mix.seconds.toFixed(1)} s of sound in ${took.toFixed(1)} s`);
  expect(took).toBeLessThan(mix.seconds);
  expect(mix.peak).toBeGreaterThan(-1.2);
  expect(mix.peak).toBeLessThan(-0.8);

  await page.getByRole('button', { name: 'WAV for each instrument' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(() => page.getByRole('button', { name: 'WAV for each instrument' }).count()).toBe(1);

  const names = (zip: Buffer) => [...zip.toString('latin1').matchAll(/PK\x01\x02[\s\S]{42}midinfinite-\d+\/(\d\d [\w -]+\.wav)/g)].map(([, name]) => name!);
  const all = names(await save(page, 'WAV for each instrument'));
  expect(all[0]).toBe('00 Mix.wav');
  expect(all.length).toBeGreaterThan(2);
  await page.getByRole('button', { name: 'Close' }).first().click();
  const muted = all[1]!.slice(3, -4);
  await page.getByRole('button', { name: `Mute ${muted}` }).click();
  await page.keyboard.press('E');
  expect(names(await save(page, 'WAV for each instrument')).map((name) => name.slice(3))).toEqual(all.map((name) => name.slice(3)).filter((name) => !name.startsWith(muted)));
  expect(complaints).toEqual([]);
}, 240 * SECONDS);

test('sixteen instruments at full volume stay below full scale at the speakers', async () => {
  const { page } = await open(browser, host.address);
  // Every sample is looked at, not now and then.
  await page.addInitScript(() => {
    const connect = AudioNode.prototype.connect as (this: AudioNode, ...all: unknown[]) => AudioNode;
    AudioNode.prototype.connect = function (this: AudioNode, ...all: unknown[]) {
      if (all[0] instanceof AudioDestinationNode) {
        const tap = this.context.createAnalyser();
        tap.fftSize = 32768;
        connect.call(this, tap);
        const samples = new Float32Array(tap.fftSize);
        Object.assign(window, { most: 0 });
        setInterval(() => {
          tap.getFloatTimeDomainData(samples);
          const seen = window as unknown as { most: number };
          for (const sample of samples) seen.most = Math.max(seen.most, Math.abs(sample));
        }, 400);
      }
      return connect.apply(this, all);
    } as AudioNode['connect'];
  });
  // A piece of sixteen instruments, chords on every beat.
  const one = [0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 1, 0, 16, 0, 96];
  for (let i = 0; i < 16; ++i) {
    const channel = i === 15 ? 9 : i < 9 ? i : i + 1;
    const track = [0, 0xc0 | channel, i * 6];
    for (let beat = 0; beat < 40; ++beat) {
      const keys = channel === 9 ? [36, 38, 49] : [36, 48, 55, 60, 64, 67].map((key) => key + ((beat * 5) % 12));
      for (const key of keys) track.push(0, 0x90 | channel, key, 127);
      keys.forEach((key, n) => track.push(n === 0 ? 48 : 0, 0x80 | channel, key, 0));
    }
    track.push(0, 0xff, 0x2f, 0);
    one.push(0x4d, 0x54, 0x72, 0x6b, 0, 0, track.length >> 8, track.length & 255, ...track);
  }
  await page.reload();
  await page.getByRole('tab', { name: 'Begin' }).click();
  await page.getByLabel('Use').selectOption('all of it');
  await page.getByLabel('MIDI file').setInputFiles({ name: 'dense.mid', mimeType: 'audio/midi', buffer: Buffer.from(one) });
  await untilHeard(page);
  await page.locator('.surface').focus();
  for (let i = 0; i < 4; ++i) await page.keyboard.press('ArrowLeft');
  for (const slider of await page.getByLabel(/^(Volume of|Master)/).all()) await slider.fill('1');
  await page.waitForTimeout(8 * SECONDS);
  const most = await page.evaluate(() => (window as unknown as { most: number }).most);
  console.log('highest sample:', most);
  expect(most).toBeGreaterThan(0.5);
  expect(most).toBeLessThan(1);
}, 120 * SECONDS);
