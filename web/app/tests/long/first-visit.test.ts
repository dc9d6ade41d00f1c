// A first visit over a line of 20 Mbit/s: what is fetched, what is shown, when music begins.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launch, type PlainHost, SECONDS, untilHeard } from '../browser.ts';
import { fixed, openListening, recorded, serve, soundAfter } from '../listen.ts';

const LINE = 20e6 / 8;
const PARTS: [string, RegExp][] = [
  ['model', /^models\//],
  ['sounds', /^fonts\//],
  ['engine', /^wasm\//],
  ['prompts', /^prompts\//],
  ['page', /^(index\.html|assets\/|$)/],
  ['other', /./],
];

let browser: Browser;
let host: PlainHost;
beforeAll(async () => {
  browser = await launch();
  host = await serve(false);
});
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

test('a first visit over 20 Mbit/s: music within 40 s, and it is written while the sounds are still on their way', async () => {
  host.bytesPerSecond = LINE;
  const { page } = await openListening(browser, host.address);
  const shown: { wall: number; what: string; part: number }[] = [];
  const watch = setInterval(() => {
    page.evaluate(() => {
      const bar = document.querySelector<HTMLProgressElement>('.card progress');
      const sounds = document.querySelector<HTMLElement>('.sounds');
      return bar ? { what: bar.parentElement!.querySelector('h2')!.innerText, part: bar.value } : sounds ? { what: sounds.innerText.split(',')[0]!, part: parseInt(sounds.innerText.split(',')[1]!) / 100 } : undefined;
    }).then((state) => state && shown.push({ ...state, wall: Date.now() / 1000 }), () => {});
  }, 500);
  const start = page.locator('.start');
  expect(await page.locator('.card').innerText()).toMatch(/59 MB of model, 15 MB of sounds/);
  await start.click();
  await untilHeard(page, 120 * SECONDS);
  clearInterval(watch);
  await page.waitForTimeout(1 * SECONDS);

  const record = await recorded(page);
  const click = record.clicks[0]!.wall;
  const heard = soundAfter(record, click)!;
  const written = record.written.find(({ notes }) => notes > 0)!.wall - click;
  const sounds = host.sent.filter(({ path }) => path.startsWith('fonts/'));
  const [fontFrom, fontTo] = [sounds[0]!.from - click, sounds.at(-1)!.to - click];
  for (const [part, pattern] of PARTS) {
    const of = host.sent.filter(({ path }) => PARTS.find(([, other]) => other.test(path))![1] === pattern);
    if (of.length > 0) console.log(`${part}: ${of.reduce((sum, { bytes }) => sum + bytes, 0)} bytes in ${of.length} files`);
  }
  console.log(`after the click: the first note is written at ${fixed(written)} s, the sounds come from ${fixed(fontFrom)} to ${fixed(fontTo)} s, music at ${fixed(heard)} s`);
  for (const { wall, what, part } of shown.filter((_, i) => i % 10 === 0)) console.log(`  ${fixed(wall - click, 1)} s: ${what} ${Math.round(100 * part)} %`);
  expect(shown.filter(({ what, part }) => what === 'Fetching the model' && part > 0 && part < 1).length).toBeGreaterThan(10);
  expect(written).toBeLessThan(fontTo);
  expect(heard).toBeLessThan(40);
});
