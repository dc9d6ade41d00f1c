// A link carries music: made here, opened there, shown first and played only then; a bad one is one line.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { writeLink } from '../src/share/link.ts';
import { dist, launch, open, openIn, peak, PlainHost, SECONDS, untilHeard } from './browser.ts';

const MODEL = 'models/mini-q8_0.gguf';
let browser: Browser;
let host: PlainHost;
beforeAll(async () => void (browser = await launch()), 60 * SECONDS);
afterAll(() => browser?.close());
beforeEach(async () => void (host = await new PlainHost(dist).start()));
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await host.stop();
});

const dialog = (page: Page) => page.getByRole('dialog', { name: 'Music from a link' });

test('music goes by link from one listener to another, who is asked first', async () => {
  const here = await open(browser, host.address, { permissions: ['clipboard-read', 'clipboard-write'] });
  await here.page.getByRole('button', { name: 'Jazz trio' }).click();
  await here.page.locator('.start').click();
  await untilHeard(here.page);
  await here.page.waitForTimeout(4 * SECONDS);
  // Under a seed of the engine's own.
  await here.page.getByRole('button', { name: 'Again' }).click();
  await here.page.waitForTimeout(1 * SECONDS);
  await here.page.keyboard.press('Space');
  await here.page.keyboard.press('E');
  await here.page.getByRole('button', { name: 'Link' }).click();
  await expect.poll(() => here.page.getByText('The link is copied.').count()).toBe(1);
  const link = await here.page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(await here.page.getByRole('textbox', { name: 'Link' }).inputValue());
  expect(link).toMatch(/^http[^#]*#music=[\w-]+$/);

  host.requests.length = 0;
  const there = await open(browser, link);
  await expect.poll(() => dialog(there.page).count()).toBe(1);
  expect(await dialog(there.page).innerText()).toMatch(/\d:\d\d, \d+ notes/);
  await there.page.waitForTimeout(2 * SECONDS);
  expect(host.requests).not.toContain(MODEL);
  expect(await peak(there.page)).toBe(0);
  expect(there.page.url()).toBe(host.address);

  await there.page.getByRole('button', { name: 'Play it' }).click();
  // Without threads, as on a first visit to a plain host, the model reads a prompt as slowly as it writes.
  await untilHeard(there.page, 150 * SECONDS);
  expect(await there.page.getByRole('timer').innerText()).toMatch(/^0:0[0-3]$/);
  // The settings came too, and beyond the notes the model goes on.
  await expect.poll(() => there.page.locator('.chip').allInnerTexts()).toEqual(['Grand piano', 'Acoustic bass', 'Drum kit']);
  const end = Number(await there.page.getByRole('slider', { name: 'Position in the music' }).getAttribute('aria-valuemax'));
  await expect
    .poll(() => there.page.getByRole('slider', { name: 'Position in the music' }).getAttribute('aria-valuemax').then(Number), { timeout: 90 * SECONDS })
    .toBeGreaterThan(end + 3);
  expect([...here.complaints, ...there.complaints]).toEqual([]);
}, 300 * SECONDS);

test('a second link takes the place of the first; after a cancelled download it is shown again', async () => {
  const settings = {
    seed: 7, ensemble: [0], temperature: 1, topP: 0.98, density: 0, frequencyPenalty: 0, polyphony: 16, pace: 40, scale: 0xfff, speed: 1, transpose: 0,
  };
  const link = async (count: number) => {
    const notes = Array.from({ length: count }, (_, i) => ({ onset: i, duration: 0.5, instrument: 0, pitch: 60 + i, velocity: 90 }));
    return (await writeLink(host.address, notes, settings)).link;
  };
  const { page, complaints } = await open(browser, await link(3));
  await expect.poll(() => dialog(page).innerText()).toContain('3 notes');
  await page.evaluate((fragment) => void (location.hash = fragment), new URL(await link(5)).hash);
  await expect.poll(() => dialog(page).innerText()).toContain('5 notes');
  expect(await page.locator('.notice').count()).toBe(0);

  host.bytesPerSecond = 1e6;
  await page.getByRole('button', { name: 'Play it' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect.poll(() => dialog(page).innerText()).toContain('5 notes');
  expect(complaints).toEqual([]);
}, 60 * SECONDS);

test('a bad link is one line, and nothing else happens', async () => {
  const good = '#music=';
  for (const [bad, says] of [
    [good + 'AAAA', 'cut off'],
    [good + '!!', 'cut off'],
    [good + 'A'.repeat(20_000), 'longer than'],
    [good + '<img src=x onerror=alert(1)>', 'cut off'],
    // A megabyte of zeros, and something after the end.
    [good + Buffer.from(await new Response(new Blob([new Uint8Array(1e6)]).stream().pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer()).toString('base64url'), 'more than'],
    [good + Buffer.concat([Buffer.from([3, 0]), Buffer.alloc(100)]).toString('base64url'), 'cut off'],
  ] as const) {
    const { page, complaints } = await open(browser, host.address + bad);
    await expect.poll(() => page.locator('.notice').innerText()).toMatch(new RegExp(`cannot be read: .*${says}`));
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  }
  // In an app that is open, by its address alone; and another fragment is none of ours.
  const { page } = await openIn(await browser.newContext(), host.address);
  await page.evaluate(() => void (location.hash = 'music=AAAA'));
  await expect.poll(() => page.locator('.notice').count()).toBe(1);
  await page.locator('.notice button').click();
  await page.evaluate(() => void (location.hash = 'other'));
  await page.waitForTimeout(500);
  expect(await page.locator('.notice').count()).toBe(0);
}, 120 * SECONDS);
