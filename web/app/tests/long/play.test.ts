// Music for minutes: no gap, no underrun, no long task; also in a hidden tab, and without threads.
import type { Browser, Page } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launch, type PlainHost, SECONDS, untilHeard } from '../browser.ts';
import { expectUnbroken, forgetRecord, listenIn, meterSays, openListening, pause, playFor, recorded, scaled, serve } from '../listen.ts';

let browser: Browser;
let host: PlainHost;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser?.close());
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await host.stop();
});

async function start(): Promise<Page> {
  const { page } = await openListening(browser, host.address);
  await page.locator('.start').click();
  await untilHeard(page);
  return page;
}

test('five minutes without a gap, and no task of the page longer than when the engine is idle', async () => {
  host = await serve();
  const page = await start();
  await page.keyboard.press('Space');
  await pause(2);
  await forgetRecord(page);
  await pause(scaled(30));
  const idle = (await recorded(page)).longTasks;
  await page.keyboard.press('Space');
  await untilHeard(page);
  const played = await playFor(page, scaled(300), 'playing');
  const playing = played.longTasks;
  const longest = (tasks: { ms: number }[]) => Math.max(0, ...tasks.map(({ ms }) => ms));
  console.log(`tasks over 50 ms: ${idle.length} idle, the longest ${longest(idle)} ms; ${playing.length} playing, the longest ${longest(playing)} ms`);
  expectUnbroken(played);
  expect(longest(playing)).toBeLessThanOrEqual(Math.max(50, longest(idle)));
});

test('a minute without SharedArrayBuffer, so without threads', async () => {
  host = await serve(false);
  const page = await start();
  expect(await page.evaluate(() => 'SharedArrayBuffer' in window)).toBe(false);
  expect(await meterSays(page)).not.toContain('-threads,');
  expectUnbroken(await playFor(page, scaled(60), 'one thread'));
});

test('a minute in a hidden tab', async () => {
  host = await serve();
  // Playwright has every page believe that it is in front, and keeps the timers of those that are not as fast.
  const other = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
    ignoreDefaultArgs: ['--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding', '--disable-background-timer-throttling'],
  });
  try {
    const page = await other.newPage();
    await page.setBypassCSP(true);
    await page.evaluateOnNewDocument(listenIn);
    await page.goto(host.address);
    await page.locator('.start').click();
    await expect.poll(() => meterSays(page), { timeout: 60 * SECONDS }).not.toBe('');
    await expect.poll(async () => (await recorded(page)).peaks.some(({ peak }) => peak > 0.01), { timeout: 60 * SECONDS }).toBe(true);
    await (await other.newPage()).bringToFront();
    expect(await page.evaluate(() => document.visibilityState)).toBe('hidden');
    expectUnbroken(await playFor(page, scaled(60), 'hidden'));
    expect(await page.evaluate(() => document.visibilityState)).toBe('hidden');
  } finally {
    await other.close();
  }
});
