// How soon the app answers: the first note after a click, and changed settings.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launch, type PlainHost, untilHeard } from '../browser.ts';
import { fixed, forgetRecord, meterSays, openListening, pause, percentile, recorded, scaledCount, serve, soundAfter, untilReady } from '../listen.ts';

let browser: Browser;
let host: PlainHost;
let page: Page;
beforeAll(async () => void (browser = await launch()));
afterAll(() => browser?.close());
beforeEach(async () => {
  host = await serve();
  ({ page } = await openListening(browser, host.address));
  await page.locator('.start').click();
  await untilHeard(page);
});
afterEach(async () => {
  await page.context().close();
  await host.stop();
});

const said = (seconds: number[]) => `p50 ${fixed(percentile(seconds, 0.5))} s, p95 ${fixed(percentile(seconds, 0.95))} s, of ${seconds.map((one) => fixed(one)).join(' ')}`;

test('the first note is there half a second after the click, with the engine ready', async () => {
  const waits: number[] = [];
  for (let visit = 0; visit < scaledCount(20); ++visit) {
    await page.reload();
    await untilReady(page);
    await pause(1);
    await page.locator('.start').click();
    await untilHeard(page);
    await pause(0.6);
    const record = await recorded(page);
    waits.push(soundAfter(record, record.clicks[0]!.wall)!);
  }
  console.log(`first note after the click: ${said(waits)} (${await meterSays(page)})`);
  expect(percentile(waits, 0.95)).toBeLessThanOrEqual(0.5);
});

test('half a second after another ensemble is chosen nobody else begins a note, and the music goes on', async () => {
  const PIANO = { name: 'Solo piano', plays: [0] };
  const QUARTET = { name: 'String quartet', plays: [40, 41, 42] };
  const lates: number[] = [];
  await page.getByRole('button', { name: 'Choose…' }).click();
  for (let change = 0; change < scaledCount(20); ++change) {
    const { name, plays } = change % 2 === 0 ? PIANO : QUARTET;
    await forgetRecord(page);
    await page.getByRole('dialog').getByRole('button', { name }).click();
    await pause(5);
    const { clicks, struck } = await recorded(page);
    const at = clicks[0]!.audio;
    const others = struck.filter((note) => note.audio > at && !plays.includes(note.program)).map((note) => note.audio - at);
    lates.push(Math.max(0, ...others));
    expect(struck.filter((note) => note.audio > at + 0.5 && plays.includes(note.program)).length, name).toBeGreaterThan(0);
  }
  console.log(`the last note under the old setting: ${said(lates)}`);
  expect(Math.max(...lates)).toBeLessThanOrEqual(0.5);
});
