// How fast the engine writes: one-minute streams in a page that does nothing else, measured and printed.
import type { Browser } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launch, root } from '../browser.ts';
import { fixed, scaled, scaledCount } from '../listen.ts';
import { DEFAULT_CHOICES } from '../../src/session/choices.ts';
import type { Asked, Written } from './write-streams.ts';

let browser: Browser;
let server: ViteDevServer;
beforeAll(async () => {
  browser = await launch();
  server = await createServer({ root, logLevel: 'silent', server: { port: 0 } });
  await server.listen();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

test.each([
  { threads: 1, streams: 10, as: "under the library's settings", settings: {} },
  { threads: 2, streams: 10, as: "under the library's settings", settings: {} },
  { threads: 2, streams: 20, as: 'as the app plays', settings: DEFAULT_CHOICES },
])('$streams one-minute streams $as, threads: $threads', async ({ threads, streams: count, as, settings }) => {
  const page = await browser.newPage();
  await page.goto(new URL('licences.html', server.resolvedUrls!.local[0]).href);
  await page.addScriptTag({ type: 'module', url: '/tests/long/write-streams.ts' });
  await page.waitForFunction(() => 'writeStreams' in window);
  const asked: Asked = { threads, count: scaledCount(count), seconds: Math.min(60, scaled(60)), settings };
  const { model, streams } = await page.evaluate((asked) => {
    const { writeStreams } = window as unknown as { writeStreams(given: Asked): Promise<Written> };
    return writeStreams(asked);
  }, asked);
  for (const [i, { took, notes }] of streams.entries()) {
    console.log(`seed ${i + 1}: ${notes} notes in ${fixed(took)} s, ${fixed(asked.seconds / took)} × real time, ${fixed(notes / took, 0)} notes/s`);
  }
  const mean = streams.reduce((sum, { took }) => sum + asked.seconds / took, 0) / streams.length;
  const together = (asked.count * asked.seconds) / streams.reduce((sum, { took }) => sum + took, 0);
  console.log(`${model.build}, threads: ${threads}, ${as}: mean ${fixed(mean)} × real time, all together ${fixed(together)} ×`);
  expect(model.threads).toBe(threads);
  for (const { notes } of streams) expect(notes).toBeGreaterThan(asked.seconds);
});
