// An hour of play: the music goes on, and memory stays where it was. Few instruments play: a sound is decoded when it is first
// struck and kept, 210 MB if all of the font are struck, which would hide what is lost otherwise.
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launch, open, type PlainHost, untilHeard } from '../browser.ts';
import { fixed, pause, scaled, serve, underruns } from '../listen.ts';

const MEGABYTE = 1e6;
const SAMPLES = 12;
let browser: Browser;
let host: PlainHost;
beforeAll(async () => {
  browser = await launch();
  host = await serve();
});
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

/** Linux: what the page's process holds. */
async function residentBytes(): Promise<number> {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  await cdp.detach();
  const pages = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => {
    try {
      return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0; // ended meanwhile
    }
  });
  return Math.max(...pages);
}

test('an hour of play with flat memory', async () => {
  const { page, complaints } = await open(browser, host.address);
  await page.getByRole('button', { name: 'Choose…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Jazz trio' }).click();
  await page.keyboard.press('Escape');
  await page.locator('.start').click();
  await untilHeard(page);
  const position = async () => (await page.getByRole('timer').innerText()).split(':').reduce((sum, part) => 60 * sum + Number(part), 0);
  const began = Date.now() / 1000 - (await position());
  const table: { minutes: number; page: number; resident: number }[] = [];
  for (let sample = 0; sample <= SAMPLES; ++sample) {
    await pause(Math.max(0, began + (sample * scaled(3600)) / SAMPLES - Date.now() / 1000));
    const measured = await page.evaluate(() =>
      (performance as unknown as { measureUserAgentSpecificMemory(): Promise<{ bytes: number }> }).measureUserAgentSpecificMemory(),
    );
    const row = { minutes: fixed((Date.now() / 1000 - began) / 60, 1), page: measured.bytes / MEGABYTE, resident: (await residentBytes()) / MEGABYTE };
    table.push(row);
    console.log(`${row.minutes} min: page and worker ${fixed(row.page, 1)} MB, process ${fixed(row.resident, 0)} MB, at ${await position()} s, ${await underruns(page)} underruns`);
  }
  const behind = Date.now() / 1000 - began - (await position());
  console.log(`${fixed(behind)} s behind the clock at the end`);
  expect(behind).toBeLessThan(5);
  expect(await underruns(page)).toBe(0);
  expect(complaints).toEqual([]);
  // The notes of an hour take a few megabytes; most sounds are struck in the first quarter.
  const warm = table[SAMPLES / 4]!;
  const end = table.at(-1)!;
  expect(end.page - warm.page).toBeLessThan(10);
  expect(end.resident - warm.resident).toBeLessThan(60);
});
