// The built app on a host that sends files and nothing else, in a subfolder: without threads at first, with them after the
// first reload, without the host from then on, and a new version when nobody plays.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { dist, kept, launch, meter, open, openIn, peak, PlainHost, SECONDS, untilHeard } from './browser.ts';

let browser: Browser;
let host: PlainHost;
beforeAll(async () => void (browser = await launch()), 60 * SECONDS);
afterAll(() => browser?.close());
beforeEach(async () => void (host = await new PlainHost(dist, '/music/endless/').start()));
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await host.stop();
});

test('one visit: it plays without threads; the next has them; and without the host it plays, and shows its licences', async () => {
  const { page, complaints } = await open(browser, host.address);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await page.locator('.start').click();
  await untilHeard(page);
  await kept(page);
  expect(await meter(page)).not.toContain('-threads,');
  // Nothing is loaded anew under somebody who plays.
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);

  await host.stop();
  await page.reload();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await page.locator('.start').click();
  await untilHeard(page);
  expect(await meter(page)).toContain('-threads,');

  for (const link of await page.locator('footer a').all()) {
    const address = await link.evaluate((a: HTMLAnchorElement) => a.href);
    const text = await page.evaluate(async (from) => (await fetch(from)).text(), address);
    expect(text.length, address).toBeGreaterThan(200);
  }
  expect(complaints).toEqual([]);
  await host.start();
}, 120 * SECONDS);

test('the page weighs at most 300 KB gzipped, without font, model and WebAssembly', async () => {
  const { page } = await open(browser, host.address, { serviceWorkers: 'block' });
  await page.locator('.start').click();
  await untilHeard(page);
  const weighed = [...new Set(host.requests)].filter((path) => !/\.(sf3|gguf|wasm)$/.test(path)).map((path) => ({ path, bytes: gzipSync(readFileSync(join(dist, path))).length }));
  const sum = weighed.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log('bytes, gzipped:', sum);
  expect(weighed.length).toBeGreaterThan(5);
  expect(sum).toBeLessThan(300_000);
}, 60 * SECONDS);

test('a new version waits while music plays, comes with the next reload, and leaves nothing of the old one behind', async () => {
  const next = mkdtempSync(join(tmpdir(), 'midinfinite-next-'));
  try {
    cpSync(dist, next, { recursive: true });
    const { page } = await open(browser, host.address);
    await page.locator('.start').click();
    await untilHeard(page);
    await kept(page);
    const second = await openIn(page.context(), host.address);

    // As a build would: another page, and a service worker that knows its hash.
    const { createHash } = await import('node:crypto');
    const hash = (text: string) => createHash('sha256').update(text).digest('base64');
    const before = readFileSync(join(dist, 'index.html'), 'utf8');
    const after = before.replace('<title>midinfinite</title>', '<title>midinfinite, the next</title>');
    writeFileSync(join(next, 'index.html'), after);
    const worker = readFileSync(join(dist, 'service-worker.js'), 'utf8');
    expect(worker).toContain(hash(before));
    writeFileSync(join(next, 'service-worker.js'), worker.replace(hash(before), hash(after)));
    host.deploy(next);

    await page.evaluate(async () => {
      const registration = (await navigator.serviceWorker.getRegistration())!;
      await registration.update();
      while (!registration.waiting) await new Promise((later) => setTimeout(later, 50));
    });
    await untilHeard(page);
    // Another page is open and may play: it stays with its version, and so does whoever loads anew beside it.
    await second.page.reload();
    expect(await second.page.title()).toBe('midinfinite');
    await second.page.close();
    expect(await peak(page)).toBeGreaterThan(0);

    await page.reload();
    await expect.poll(() => page.title(), { timeout: 10 * SECONDS }).toBe('midinfinite, the next');
    await expect
      .poll(() => page.evaluate(async () => {
        const keys = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
        return keys.flat().filter(({ url }) => new URL(url).pathname.endsWith('/index.html')).length;
      }))
      .toBe(1);
  } finally {
    rmSync(next, { recursive: true });
  }
}, 120 * SECONDS);
