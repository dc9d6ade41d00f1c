// Where a model comes from, in Chromium: damaged, cut off, cancelled, without room, for two pages at once, without a network.
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { LoadProgress } from '../src/index.ts';
import { Host, launch, MODEL, modelFile, open, SECONDS } from './browser.ts';

const whole = readFileSync(modelFile);
const CUT = 20_000_000;

let browser: Browser;
let context: BrowserContext;
let host: Host;
/** How the model is answered, with the range that was asked for. */
let answer: (response: ServerResponse, from: number) => void;
/** The ranges asked for of the model. */
let asked: (string | undefined)[];
beforeAll(async () => {
  host = await new Host().start();
  host.instead = (path, request, response) => {
    if (path !== MODEL.url) return false;
    const { range } = request.headers;
    asked.push(range);
    answer(response, Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0));
    return true;
  };
  browser = await launch();
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});
beforeEach(async () => {
  asked = [];
  answer = wholly;
  context = await browser.newContext();
});
afterEach(() => context.close());

const wholly = (response: ServerResponse) => void response.writeHead(200).end(whole);
const ranges = (response: ServerResponse, from: number) =>
  void response
    .writeHead(from > 0 ? 206 : 200, from > 0 ? { 'Content-Range': `bytes ${from}-${whole.length - 1}/${whole.length}` } : {})
    .end(whole.subarray(from));
const cutOff = (response: ServerResponse) => void response.writeHead(200, { 'Content-Length': whole.length }).write(whole.subarray(0, CUT), () => response.destroy());
const stalled = (response: ServerResponse) => void response.writeHead(200, { 'Content-Length': whole.length }).write(whole.subarray(0, CUT));

interface Loaded {
  /** Or the error's code. */
  kept: boolean | string;
  message?: string;
  phases: LoadProgress['phase'][];
}
const load = (page: Page, from: 'midinfinite' | 'inPage' = 'midinfinite', cancelAt = Infinity): Promise<Loaded> =>
  page.evaluate(
    async ({ from, model, cancelAt }) => {
      const phases: LoadProgress['phase'][] = [];
      const cancel = new AbortController();
      if (cancelAt === 0) cancel.abort();
      const onProgress = ({ phase, done }: LoadProgress) => {
        if (phases.at(-1) !== phase) phases.push(phase);
        if (phase === 'download' && done >= cancelAt) cancel.abort();
      };
      try {
        const engine = await globalThis[from].load({ model, onProgress, signal: cancel.signal });
        const { kept } = engine.model;
        await engine.dispose();
        return { kept, phases };
      } catch (error) {
        const { code, message } = error as InstanceType<typeof midinfinite.EngineError>;
        return { kept: code, message, phases };
      }
    },
    { from, model: MODEL, cancelAt },
  );

test.each(['midinfinite', 'inPage'] as const)('kept once it was checked, and used without the network (%s)', async (from) => {
  const page = await open(context, host);
  expect(await load(page, from)).toEqual({ kept: true, phases: ['program', 'download', 'check', 'load'] });
  answer = (response) => void response.destroy();
  expect(await load(page, from)).toEqual({ kept: true, phases: ['program', 'stored', 'check', 'load'] });
  expect(asked).toHaveLength(1);
}, 60 * SECONDS);

test('damaged on its way: told, not kept, and the next try succeeds', async () => {
  const page = await open(context, host);
  answer = (response) => void response.writeHead(200).end(Buffer.from(whole).fill(7, 1000, 1010));
  expect(await load(page)).toMatchObject({ kept: 'corrupt', message: expect.stringContaining('damaged') });
  answer = (response) => void response.writeHead(200).end(Buffer.concat([whole, whole.subarray(0, 1)]));
  expect(await load(page)).toMatchObject({ kept: 'corrupt', message: expect.stringContaining('longer') });
  answer = wholly;
  expect(await load(page)).toMatchObject({ kept: true });
  expect(asked).toEqual([undefined, undefined, undefined]);
}, 60 * SECONDS);

test('damaged in storage: fetched anew', async () => {
  const page = await open(context, host);
  await load(page);
  await page.evaluate(async (name) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('midinfinite-models');
    const writer = await (await folder.getFileHandle(name)).createWritable({ keepExistingData: true });
    await writer.write({ type: 'write', position: 5000, data: new Uint8Array(8).fill(7) });
    await writer.close();
  }, MODEL.sha256);
  expect(await load(page)).toEqual({ kept: true, phases: ['program', 'stored', 'check', 'download', 'check', 'load'] });
  expect(await load(page)).toMatchObject({ kept: true, phases: ['program', 'stored', 'check', 'load'] });
  expect(asked).toHaveLength(2);
}, 60 * SECONDS);

test('cut off: goes on where it stopped, or from the beginning where the host has no ranges', async () => {
  const page = await open(context, host);
  answer = cutOff;
  expect(await load(page)).toMatchObject({ kept: 'i/o', message: expect.stringContaining('goes on where it stopped') });
  answer = ranges;
  expect(await load(page)).toMatchObject({ kept: true });
  // What the connection still held when it broke is lost.
  const resumed = (range: string | undefined) => Number(/^bytes=(\d+)-$/.exec(range!)![1]);
  expect(resumed(asked[1])).toBeGreaterThan(0.8 * CUT);
  expect(resumed(asked[1])).toBeLessThanOrEqual(CUT);

  const other = await open(await browser.newContext(), host);
  answer = cutOff;
  await load(other);
  answer = wholly;
  expect(await load(other)).toMatchObject({ kept: true });
  expect(resumed(asked[3])).toBeGreaterThan(0.8 * CUT);
  await other.context().close();
}, 60 * SECONDS);

test.each(['midinfinite', 'inPage'] as const)('the page is closed meanwhile: the next goes on (%s)', async (from) => {
  const page = await open(context, host);
  answer = stalled;
  void load(page, from).catch(() => undefined);
  const arrived = () =>
    page.evaluate(async (name) => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('midinfinite-models');
      return (await (await folder.getFileHandle(name)).getFile()).size;
    }, `${MODEL.sha256}.part`).catch(() => 0);
  await expect.poll(arrived, { timeout: 20 * SECONDS }).toBeGreaterThan(CUT - 5e6);
  await page.close();
  answer = ranges;
  expect(await load(await open(context, host), from)).toMatchObject({ kept: true });
  expect(Number(/bytes=(\d+)-/.exec(asked[1]!)?.[1])).toBeGreaterThan(CUT - 5e6);
}, 60 * SECONDS);

test('cancelled: at once, and what came is kept', async () => {
  const page = await open(context, host);
  expect(await load(page, 'midinfinite', 0)).toMatchObject({ kept: 'cancelled', phases: [] });
  expect(asked).toEqual([]);
  answer = stalled;
  expect(await load(page, 'midinfinite', 1_000_000)).toMatchObject({ kept: 'cancelled' });
  answer = ranges;
  expect(await load(page)).toMatchObject({ kept: true });
  expect(Number(/bytes=(\d+)-/.exec(asked[1]!)?.[1])).toBeGreaterThanOrEqual(1_000_000);
}, 60 * SECONDS);

test('without room: loads all the same, and nothing stays', async () => {
  const page = await open(context, host);
  const cdp = await context.newCDPSession(page);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(host.address).origin, quotaSize: 5e6 });
  for (const from of ['midinfinite', 'inPage'] as const) expect(await load(page, from)).toMatchObject({ kept: false });
  const left = await page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('midinfinite-models');
    const names = [];
    for await (const name of folder.keys()) names.push(name);
    return names;
  });
  expect(left).toEqual([]);
}, 60 * SECONDS);

test('two pages at once: one downloads, the other waits and finds it', async () => {
  const pages = [await open(context, host), await open(context, host)];
  const both = await Promise.all(pages.map((page) => load(page)));
  expect(both.map(({ kept }) => kept)).toEqual([true, true]);
  expect(both.map(({ phases }) => phases.includes('download')).sort()).toEqual([false, true]);
  expect(both.find(({ phases }) => phases.includes('wait'))?.phases).toEqual(['program', 'wait', 'stored', 'check', 'load']);
  expect(asked).toHaveLength(1);
}, 60 * SECONDS);

test('two pages at once, and the first is closed: the other downloads', async () => {
  const [first, second] = [await open(context, host), await open(context, host)];
  answer = stalled;
  void load(first).catch(() => undefined);
  await expect.poll(() => asked.length).toBe(1);
  answer = ranges;
  const waiting = load(second);
  await second.waitForTimeout(500);
  expect(asked).toHaveLength(1);
  await first.close();
  expect(await waiting).toMatchObject({ kept: true });
  expect(asked).toHaveLength(2);
}, 60 * SECONDS);
