// MIDI out: what is sent is what is heard, when it is heard, and nothing hangs. Chromium without devices has no MIDI: the
// test brings an access of the standard's shape.
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launch, open, peak, type PlainHost, SECONDS, untilHeard } from './browser.ts';
import { serve } from './listen.ts';
import { midiPorts, type MidiTest, type Sent } from './midi-ports.ts';

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

/** Keys that were struck and never let go. */
function hanging(sent: Sent[]): string[] {
  const down = new Set<string>();
  for (const { data: [status, key, velocity] } of [...sent].sort((a, b) => a.time - b.time)) {
    const id = `${status! & 15}:${key}`;
    if ((status! & 0xf0) === 0x90 && velocity! > 0) down.add(id);
    else if ((status! & 0xf0) === 0x80) down.delete(id);
  }
  return [...down];
}
const ons = (sent: Sent[]) => sent.filter(({ data }) => (data[0]! & 0xf0) === 0x90);

test('the music goes to the port in time, ends with a pause, and comes back after the port was unplugged', async () => {
  const { page, complaints } = await open(browser, host.address);
  await page.addInitScript(midiPorts);
  await page.reload();
  const midi = <T>(act: (midi: MidiTest) => T) => page.evaluate(`(${act})(window.midi)`) as Promise<T>;
  const sent = () => midi((m) => m.sent);
  await page.getByRole('button', { name: 'Pop band' }).click();
  await page.locator('.start').click();
  await untilHeard(page);
  await page.getByRole('tab', { name: 'MIDI' }).click();
  expect(await midi((m) => m.asked())).toBe(0);
  await page.getByRole('button', { name: 'Connect MIDI' }).click();
  await page.getByRole('combobox', { name: 'Port' }).selectOption({ label: 'Test DAW' });
  await page.waitForTimeout(4 * SECONDS);

  const playing = await sent();
  expect(ons(playing).length).toBeGreaterThan(3);
  // Every message has its time, and all but the first few come before it.
  const late = playing.filter(({ time, at }) => time !== 0 && time < at - 30);
  expect(late.length).toBeLessThanOrEqual(playing.length / 20);
  expect(Math.max(...playing.map(({ time, at }) => time - at))).toBeLessThan(400);
  const melodic = new Set(ons(playing).map(({ data }) => data[0]! & 15).filter((channel) => channel !== 9));
  for (const channel of melodic) expect(playing.some(({ data }) => data[0] === (0xc0 | channel)), `program of channel ${channel}`).toBe(true);

  await page.keyboard.press('Space');
  await page.waitForTimeout(0.5 * SECONDS);
  const paused = await sent();
  expect(hanging(paused)).toEqual([]);
  const last = Math.max(...ons(paused).map(({ time }) => time));
  expect(await page.evaluate(() => performance.now())).toBeGreaterThan(last);

  await page.getByLabel('Channels').selectOption({ label: 'All on channel 5' });
  await page.getByLabel('Sound here too').uncheck();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  const from = paused.length;
  await expect.poll(async () => ons((await sent()).slice(from)).length, { timeout: 20 * SECONDS }).toBeGreaterThan(3);
  const onOne = ons((await sent()).slice(from));
  expect(new Set(onOne.map(({ data }) => data[0]! & 15))).toEqual(new Set([4]));
  await page.waitForTimeout(0.5 * SECONDS);
  expect(await peak(page)).toBeLessThan(0.01);
  await page.getByLabel('Sound here too').check();
  await untilHeard(page);

  await midi((m) => m.unplug());
  await expect.poll(() => page.getByText('is unplugged').count()).toBe(1);
  const gone = (await sent()).length;
  await page.waitForTimeout(1 * SECONDS);
  expect((await sent()).length).toBe(gone);
  await untilHeard(page);
  await midi((m) => m.plug());
  await expect.poll(async () => ons((await sent()).slice(gone)).length, { timeout: 20 * SECONDS }).toBeGreaterThan(0);
  await page.getByRole('combobox', { name: 'Port' }).selectOption({ label: 'None' });
  await page.waitForTimeout(0.5 * SECONDS);
  expect(hanging((await sent()).slice(gone))).toEqual([]);
  expect(complaints).toEqual([]);
}, 180 * SECONDS);

test('what comes back from the port that gets the music is not played, unless the listener wants it', async () => {
  const { page } = await open(browser, host.address);
  await page.addInitScript(midiPorts);
  await page.reload();
  const midi = <T>(act: (midi: MidiTest) => T) => page.evaluate(`(${act})(window.midi)`) as Promise<T>;
  const down = page.locator('.piano .down');
  await page.getByRole('tab', { name: 'MIDI' }).click();
  await page.getByRole('button', { name: 'Connect MIDI' }).click();
  await page.getByRole('button', { name: 'Open the keyboard' }).click();
  await page.getByRole('combobox', { name: 'Port' }).selectOption({ label: 'Test DAW' });
  await midi((m) => m.comeBack(0x90, 60, 100));
  await midi((m) => m.play(0x90, 62, 100));
  await expect.poll(() => down.count()).toBe(1);
  // The page is left: the key of the MIDI keyboard is still down.
  await page.evaluate(() => dispatchEvent(new Event('blur')));
  expect(await down.count()).toBe(1);
  await midi((m) => m.play(0x80, 62, 0));
  await expect.poll(() => down.count()).toBe(0);

  await page.getByRole('checkbox', { name: 'Test DAW' }).check();
  await midi((m) => m.comeBack(0x90, 60, 100));
  await expect.poll(() => down.count()).toBe(1);
  await page.getByRole('checkbox', { name: 'Test DAW' }).uncheck();
  await expect.poll(() => down.count()).toBe(0);
}, 60 * SECONDS);

test('a browser without Web MIDI offers the file', async () => {
  const { page } = await open(browser, host.address);
  await page.addInitScript(() => delete (Navigator.prototype as { requestMIDIAccess?: unknown }).requestMIDIAccess);
  await page.reload();
  await page.getByRole('tab', { name: 'MIDI' }).click();
  await expect.poll(() => page.getByText('This browser has no Web MIDI').count()).toBe(1);
  await page.locator('.start').click();
  await untilHeard(page);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as MIDI' }).click();
  expect((await download).suggestedFilename()).toMatch(/\.mid$/);
}, 120 * SECONDS);
