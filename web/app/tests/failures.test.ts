// What may be missing or break, in the built app in Chromium: each is one clear line, and where it can, the music plays.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { dist, launch, meter, open, openIn, PlainHost, SECONDS, untilHeard } from './browser.ts';

const MODEL = 'models/mini-q8_0.gguf';
let browser: Browser;
let host: PlainHost;
let folder: string;
beforeAll(async () => {
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), 'midinfinite-models-'));
}, 60 * SECONDS);
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await browser?.close();
});
beforeEach(async () => void (host = await new PlainHost(dist).start()));
// What plays on would slow down the next.
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await host.stop();
});

const card = (page: Page) => page.locator('.card[role=alert]');
const again = (page: Page) => page.getByRole('button', { name: 'Try again' });
const notice = (page: Page) => page.locator('.notice');
const footer = (page: Page) => page.locator('.app > footer').innerText();
/** Replaces a script of the app by itself with something before it. */
const before = (page: Page, path: RegExp, code: string) =>
  page.route(path, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${code};${await response.text()}` });
  });
async function playAgain(page: Page): Promise<void> {
  await page.reload();
  await page.locator('.start').click();
}

test('no WebAssembly: the page says so before anything is fetched', async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => delete (globalThis as { WebAssembly?: unknown }).WebAssembly);
  const { page } = await openIn(context, host.address);
  await expect.poll(() => card(page).innerText()).toMatch(/WebAssembly is off .*\n.*another browser/s);
  expect(host.requests).not.toContain(MODEL);
}, 60 * SECONDS);

test('a synthesizer that breaks: another one plays on', async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    window.AudioWorkletNode = class extends AudioWorkletNode {
      constructor(...all: ConstructorParameters<typeof AudioWorkletNode>) {
        super(...all);
        Object.assign(window, { synth: this });
      }
    };
  });
  const { page } = await openIn(context, host.address);
  await page.locator('.start').click();
  await untilHeard(page);
  await page.evaluate(() => {
    const { synth } = window as unknown as { synth: AudioWorkletNode };
    Object.assign(window, { broken: synth });
    synth.disconnect();
    synth.dispatchEvent(new Event('processorerror'));
  });
  const replaced = () => page.evaluate(() => Reflect.get(window, 'synth') !== Reflect.get(window, 'broken'));
  await expect.poll(replaced, { timeout: 20 * SECONDS }).toBe(true);
  await untilHeard(page, 20 * SECONDS);
}, 60 * SECONDS);

test('WebAssembly without SIMD, and no AudioWorklet: each is told before the model is fetched', async () => {
  const old = await open(browser, host.address, { serviceWorkers: 'block' });
  await before(old.page, /assets\/worker-.*\.js/, 'WebAssembly.validate = () => false');
  await playAgain(old.page);
  await expect.poll(() => card(old.page).innerText()).toMatch(/runs no WebAssembly, or an old form of it.*\n.*current Chrome/s);

  const context = await browser.newContext();
  await context.addInitScript(() => delete (globalThis as { AudioWorkletNode?: unknown }).AudioWorkletNode);
  const { page } = await openIn(context, host.address);
  await expect.poll(() => card(page).innerText()).toMatch(/too old for the synthesizer.*\n.*current Chrome/s);
  expect(host.requests).not.toContain(MODEL);
}, 60 * SECONDS);

test('no https: the page says so', async () => {
  const mapped = await launch('--host-resolver-rules=MAP plain.test 127.0.0.1, MAP localhost 127.0.0.1');
  try {
    const opened = await open(mapped, host.address.replace('localhost', 'plain.test'));
    await expect.poll(() => card(opened.page).innerText()).toContain('without https');
  } finally {
    await mapped.close();
  }
}, 60 * SECONDS);

test('isolated, but without threads in WebAssembly: the build without threads plays', async () => {
  host.instead = (_path, _request, response) => {
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin').setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    return false;
  };
  const { page } = await open(browser, host.address, { serviceWorkers: 'block' });
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await before(page, /assets\/worker-.*\.js/, `{
    const { Memory } = WebAssembly;
    WebAssembly.Memory = function (options) {
      if (options.shared) throw new TypeError('shared memory is not supported');
      return new Memory(options);
    };
  }`);
  await page.locator('.start').click();
  await untilHeard(page);
  expect(await meter(page)).toMatch(/^(relaxed|simd), 1 thread;/);
}, 60 * SECONDS);

test('a download that is damaged, cut off or missing is told in a line, and trying again plays', async () => {
  const { page } = await open(browser, host.address);
  let damage = (_data: Buffer) => _data;
  let status = 200;
  let left = 1;
  host.instead = (path, request, response) => {
    if (path !== MODEL || left-- <= 0) return false;
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    expect(from).toBe(0);
    response.writeHead(status).end(damage(readFileSync(join(dist, MODEL))));
    return true;
  };
  damage = (data) => (data.fill(7, 1000, 1010), data);
  await page.locator('.start').click();
  await expect.poll(() => card(page).innerText(), { timeout: 30 * SECONDS }).toContain('damaged');

  status = 404;
  left = 1;
  await again(page).click();
  await expect.poll(() => card(page).innerText()).toContain('could not be downloaded (404)');

  status = 200;
  left = 1;
  damage = (data) => data.subarray(0, 20e6);
  await again(page).click();
  await expect.poll(() => card(page).innerText(), { timeout: 30 * SECONDS }).toContain('ended early');

  // What came is kept: the rest is asked for, of a host that has ranges.
  let asked = '';
  host.instead = (path, request, response) => {
    if (path !== MODEL) return false;
    asked = request.headers.range ?? '';
    const whole = readFileSync(join(dist, MODEL));
    const from = Number(/bytes=(\d+)-/.exec(asked)![1]);
    response.writeHead(206, { 'Content-Range': `bytes ${from}-${whole.length - 1}/${whole.length}` }).end(whole.subarray(from));
    return true;
  };
  await again(page).click();
  await untilHeard(page);
  expect(asked).toBe('bytes=20000000-');
}, 120 * SECONDS);

test('a damaged font: one line, and trying again is heard', async () => {
  const { page } = await open(browser, host.address);
  let left = 1;
  host.instead = (path, _request, response) => {
    if (!path.endsWith('.sf3') || left-- <= 0) return false;
    response.writeHead(200).end(readFileSync(join(dist, path)).fill(0, 5000, 6000));
    return true;
  };
  await page.locator('.start').click();
  await expect.poll(() => card(page).innerText(), { timeout: 60 * SECONDS }).toContain('sound file was damaged');
  await again(page).click();
  await untilHeard(page);
}, 90 * SECONDS);

test('a model that does not come: trying again goes on with the piece that was asked for', async () => {
  const { page } = await open(browser, host.address);
  await page.locator('.start').click();
  await untilHeard(page);
  await page.waitForTimeout(3 * SECONDS);
  await page.keyboard.press('Space'); // saves
  await page.waitForTimeout(0.5 * SECONDS);
  await page.evaluate(async () => {
    const kept = await navigator.storage.getDirectory();
    for await (const name of kept.keys()) await kept.removeEntry(name, { recursive: true });
  });
  await page.reload();
  const goOn = page.getByText('Continue where you were');
  await goOn.waitFor();
  const left = (await goOn.innerText()).split('at ')[1];
  host.instead = (path, _request, response) => path === MODEL && !!response.writeHead(503).end();
  await goOn.click();
  await expect.poll(() => card(page).innerText(), { timeout: 30 * SECONDS }).toContain('could not be downloaded (503)');
  host.instead = () => false;
  await again(page).click();
  await untilHeard(page);
  expect((await page.getByRole('timer').innerText()) >= left!).toBe(true);
  expect(await page.getByRole('button', { name: 'Piece before' }).count()).toBe(0);
}, 90 * SECONDS);

test('no room to keep the model: it plays from memory, and says so', async () => {
  const { page } = await open(browser, host.address);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(host.address).origin, quotaSize: 5e6 });
  await page.locator('.start').click();
  await expect.poll(() => notice(page).innerText(), { timeout: 60 * SECONDS }).toMatch(/plays from memory.*\s.*next visit/s);
  await untilHeard(page);
  // And the next visit asks before it fetches again.
  await page.reload();
  await page.waitForTimeout(1 * SECONDS);
  await expect.poll(() => page.locator('.card').innerText()).toContain('59 MB of model');
}, 90 * SECONDS);

test('no room for model, sounds and session: it plays, and says once that the next visit fetches it again', async () => {
  const { page } = await open(browser, host.address, { serviceWorkers: 'block' });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(host.address).origin, quotaSize: 1 });
  await page.locator('.start').click();
  await expect.poll(() => notice(page).innerText(), { timeout: 30 * SECONDS }).toMatch(/no room to keep it/);
  await untilHeard(page);
  await page.keyboard.press('Space'); // saves
  await page.waitForTimeout(1 * SECONDS);
  expect(await card(page).count()).toBe(0);
  await page.keyboard.press('Space');
  await untilHeard(page);
  const kept = await page.evaluate(async () => (await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).length))).reduce((sum, count) => sum + count, 0));
  expect(kept).toBe(0);
  await page.reload();
  expect(await page.getByText('Continue').count()).toBe(0);
}, 60 * SECONDS);

test('no private file system and no other storage, as in some private windows: it plays', async () => {
  const { page } = await open(browser, host.address, { serviceWorkers: 'block' });
  await before(page, /assets\/worker-.*\.js/, `navigator.storage.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'))`);
  await page.addInitScript(() => {
    const refuse = () => Promise.reject(new DOMException('no', 'SecurityError'));
    Object.defineProperty(caches, 'open', { value: refuse });
    for (const name of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, name, { get: () => { throw new DOMException('no', 'SecurityError'); } });
    }
    Object.defineProperty(window, 'indexedDB', { value: { open: () => { throw new DOMException('no', 'SecurityError'); } } });
  });
  await playAgain(page);
  await untilHeard(page);
  await expect.poll(() => notice(page).innerText()).toContain('plays from memory');
}, 60 * SECONDS);

test('two tabs: one fetches the model, the other waits for it, and both play', async () => {
  const first = await open(browser, host.address);
  const second = await openIn(first.page.context(), host.address);
  await first.page.locator('.start').click();
  await second.page.locator('.start').click();
  await untilHeard(first.page);
  await untilHeard(second.page);
  await untilHeard(first.page);
  expect(host.requests.filter((path) => path === MODEL)).toHaveLength(1);
  expect([...first.complaints, ...second.complaints]).toEqual([]);
}, 120 * SECONDS);

const tensorData = (model: Buffer, name: string): number => {
  // GGUF: the tensors' names, shapes, types and offsets come one after the other; their data follows, aligned to 32.
  let at = model.indexOf('token_embd.weight') - 8;
  let found = -1;
  for (let count = Number(model.readBigUInt64LE(8)); count > 0; --count) {
    const length = Number(model.readBigUInt64LE(at));
    const called = model.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
    at += 4 + 8 * model.readUInt32LE(at) + 4;
    if (called === name) found = Number(model.readBigUInt64LE(at));
    at += 8;
  }
  return Math.ceil(at / 32) * 32 + found;
};

test('a file as a model: a bad one leaves the one that plays alone and says why, a good one goes on with the music', async () => {
  const { page } = await open(browser, host.address);
  await page.locator('.start').click();
  await untilHeard(page);
  const field = page.getByLabel('Model file');

  const good = join(folder, 'copy.gguf');
  copyFileSync(join(dist, MODEL), good);
  const cut = join(folder, 'cut.gguf');
  copyFileSync(good, cut);
  truncateSync(cut, 30e6);
  const noise = join(folder, 'noise.gguf');
  writeFileSync(noise, Buffer.alloc(5000, 'RIFFwave'));
  const empty = join(folder, 'empty.gguf');
  writeFileSync(empty, '');
  // One that loads, and then computes no numbers.
  const broken = join(folder, 'broken.gguf');
  const model = readFileSync(good);
  model.fill(0xff, tensorData(model, 'output_norm.weight'), tensorData(model, 'output_norm.weight') + 2048);
  writeFileSync(broken, model);

  for (const bad of [cut, noise, empty, broken]) {
    await field.setInputFiles(bad);
    const name = bad.split('/').pop()!;
    await expect.poll(() => notice(page).innerText(), { timeout: 60 * SECONDS }).toContain(`“${name}” is not used: `);
    expect((await notice(page).innerText()).length).toBeLessThan(240);
    expect(await footer(page)).toContain('Model: mini');
    await untilHeard(page);
  }
  const text = () => page.getByRole('timer').innerText();
  const seconds = async () => (await text()).split(':').reduce((sum, part) => 60 * sum + Number(part), 0);
  const at = await seconds();
  await field.setInputFiles(good);
  await expect.poll(() => footer(page), { timeout: 60 * SECONDS }).toContain('Model: copy.gguf');
  // Beyond what the other model had written.
  await expect.poll(seconds, { timeout: 40 * SECONDS }).toBeGreaterThan(at + 8);
  await untilHeard(page);

  await page.getByRole('button', { name: 'Model: copy.gguf' }).click();
  await page.getByRole('button', { name: 'Back to mini' }).click();
  await expect.poll(() => footer(page), { timeout: 60 * SECONDS }).toContain('Model: mini');
  await untilHeard(page);
  await expect.poll(seconds, { timeout: 20 * SECONDS }).toBeGreaterThan(at + 3);
}, 180 * SECONDS);

test('a piece that is begun while a model is tried goes on with it', async () => {
  const { page } = await open(browser, host.address);
  await page.locator('.start').click();
  await untilHeard(page);
  const file = join(folder, 'other.gguf');
  copyFileSync(join(dist, MODEL), file);
  await page.getByLabel('Model file').setInputFiles(file);
  await expect.poll(() => footer(page)).toContain('trying other.gguf');
  await page.keyboard.press('n');
  const seed = page.getByLabel('Seed', { exact: true });
  const begun = await seed.inputValue();
  await expect.poll(() => footer(page), { timeout: 60 * SECONDS }).toContain('Model: other.gguf');
  await untilHeard(page);
  expect(await seed.inputValue()).toBe(begun);
}, 90 * SECONDS);

test('a model from a file, while the other is fetched, plays instead of it', async () => {
  const { page } = await open(browser, host.address);
  const file = join(folder, 'first.gguf');
  copyFileSync(join(dist, MODEL), file);
  host.bytesPerSecond = 1e6;
  await page.locator('.start').click();
  await page.getByText('Fetching the model').waitFor();
  await page.getByLabel('Model file').setInputFiles(file);
  await expect.poll(() => footer(page), { timeout: 60 * SECONDS }).toContain('Model: first.gguf');
  host.bytesPerSecond = Infinity;
  await untilHeard(page);
  expect(await footer(page)).toContain('Model: first.gguf');
}, 120 * SECONDS);

test('an engine that breaks while music plays: one line, and trying again goes on with the music', async () => {
  const { page } = await open(browser, host.address, { serviceWorkers: 'block' });
  await page.addInitScript(() => {
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (this: Worker, ...all: [unknown]) {
      Object.assign(window, { engine: this });
      return postMessage.apply(this, all);
    };
  });
  await playAgain(page);
  await untilHeard(page);
  await page.waitForTimeout(3 * SECONDS);
  await page.keyboard.press('Space'); // saves
  await page.waitForTimeout(0.5 * SECONDS);
  await page.keyboard.press('Space');
  await untilHeard(page);
  await page.evaluate(() => (window as unknown as { engine: Worker }).engine.postMessage('break'));
  await expect.poll(() => card(page).innerText()).toContain('The music cannot go on');
  await again(page).click();
  await untilHeard(page);
  expect(await page.getByRole('timer').innerText()).not.toBe('0:00');
}, 90 * SECONDS);

test('a page that dies while music plays: opened again, it offers to continue, and does', async () => {
  const { page } = await open(browser, host.address);
  await page.locator('.start').click();
  await untilHeard(page);
  await page.waitForTimeout(13 * SECONDS); // it is saved every ten
  const cdp = await page.context().newCDPSession(page);
  const died = page.waitForEvent('crash');
  void cdp.send('Page.crash').catch(() => undefined);
  await died;

  const next = await openIn(page.context(), host.address);
  await next.page.getByText('Continue where you were').click();
  await untilHeard(next.page);
  const [minutes, seconds] = (await next.page.getByRole('timer').innerText()).split(':').map(Number);
  expect(60 * minutes! + seconds!).toBeGreaterThan(5);
  expect(next.complaints).toEqual([]);
}, 90 * SECONDS);
