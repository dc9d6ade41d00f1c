// The built app in Chromium: it plays, stops, exports, survives a reload, and keeps its policy and its accessibility.
// Run after `npm run build`; CHROMIUM names another browser binary, DIST another build.
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { violations } from './axe.ts';
import { launch, open as openAt, peak, type PlainHost, SECONDS, untilHeard } from './browser.ts';
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

const open = (options: BrowserContextOptions = {}) => openAt(browser, host.address, options);

test('a click plays, pause is silent, play goes on, the export is a MIDI file, and a reload offers to continue', async () => {
  const { page, complaints } = await open({ acceptDownloads: true });
  await page.locator('.start').click();
  await untilHeard(page);
  await page.waitForTimeout(2 * SECONDS);
  await page.keyboard.press('Space');
  await page.waitForTimeout(0.6 * SECONDS);
  expect(await peak(page)).toBeLessThan(0.01);
  await page.getByLabel('Play', { exact: true }).first().focus();
  await page.keyboard.press('Space');
  await untilHeard(page);

  const download = page.waitForEvent('download');
  await page.keyboard.press('e');
  const file = await (await download).path();
  expect(readFileSync(file).subarray(0, 4).toString()).toBe('MThd');

  await page.getByLabel('Pause', { exact: true }).click();
  await page.waitForTimeout(1 * SECONDS);
  await page.reload();
  await page.getByText('Continue where you were').click();
  await untilHeard(page);
  expect(complaints).toEqual([]);
}, 120 * SECONDS);

test('nothing for axe to complain about: empty and playing, dark and light, desktop and phone', async () => {
  for (const colorScheme of ['dark', 'light'] as const) {
    for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
      // The policy forbids the page axe itself.
      const { page } = await open({ colorScheme, viewport, bypassCSP: true });
      expect(await violations(page)).toEqual([]);
      await page.locator('.start').click();
      await untilHeard(page);
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(viewport.width);
      await page.context().close();
    }
  }
}, 240 * SECONDS);
