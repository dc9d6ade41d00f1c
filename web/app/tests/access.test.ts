// The built app in Chromium without a pointer, without motion, and cut off from every other origin.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launch, open, type PlainHost, SECONDS, untilHeard } from './browser.ts';
import { serve } from './listen.ts';

let browser: Browser;
let host: PlainHost;
beforeAll(async () => {
  browser = await launch();
  host = await serve();
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** Presses Tab until it comes round; returns at how many elements it stopped. */
async function tabThrough(page: Page): Promise<number> {
  await page.evaluate(() => Object.assign(window, { stops: [] }));
  for (let presses = 0; presses < 300; ++presses) {
    await page.keyboard.press('Tab');
    const known = await page.evaluate(() => {
      const { stops } = window as unknown as { stops: Element[] };
      const at = document.activeElement!;
      if (at === document.body) return 0;
      return stops.includes(at) ? stops.length : void stops.push(at);
    });
    if (known) return known;
  }
  throw new Error('Tab does not come round');
}

/** What a pointer can work and Tab does not stop at. */
const unreached = (page: Page) =>
  page.evaluate(() => {
    const stops = (window as unknown as { stops: Element[] }).stops;
    const controls = document.querySelectorAll<HTMLElement>('button, a[href], input, select, textarea, [role=slider], [role=tab]');
    return [...controls]
      .filter((one) => one.checkVisibility() && !one.matches(':disabled, [role=tab][aria-selected=false]') && !stops.includes(one))
      .map((one) => one.outerHTML.slice(0, 120));
  });

test('everything is reached and worked with keys alone', async () => {
  const { page } = await open(browser, host.address);
  await page.locator('.start').focus();
  await page.keyboard.press('Enter');
  await untilHeard(page);
  expect(await tabThrough(page)).toBeGreaterThan(20);
  expect(await unreached(page)).toEqual([]);

  // The tabs are one stop; arrows go between them.
  await page.getByRole('tab', { name: 'Music' }).focus();
  for (const name of ['Begin', 'Takes']) {
    await page.keyboard.press('ArrowRight');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(name);
    await tabThrough(page);
    expect(await unreached(page), name).toEqual([]);
    await page.getByRole('tab', { name }).focus();
  }

  // Dialogs open, close and give the focus back.
  const choose = async () => {
    await page.getByRole('tab', { name: 'Music' }).click();
    await page.getByRole('button', { name: 'Choose…' }).focus();
    await page.keyboard.press('Enter');
  };
  await choose();
  expect(await page.getByRole('dialog').isVisible()).toBe(true);
  await page.keyboard.type('violin');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Choose…');

  // The roll moves with arrows.
  await page.getByRole('slider', { name: 'Position in the music' }).focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('Home');
  await expect.poll(() => page.getByRole('timer').innerText()).toBe('0:00');
}, 120 * SECONDS);

test('letters can be left alone', async () => {
  const { page } = await open(browser, host.address);
  const selected = () => page.getByRole('tab', { name: 'Takes' }).getAttribute('aria-selected');
  await page.keyboard.press('?');
  await page.getByRole('checkbox', { name: /shortcuts/ }).uncheck();
  await page.keyboard.press('Escape');
  await page.keyboard.press('t');
  expect(await selected()).toBe('false');
  await page.reload();
  await page.keyboard.press('t');
  expect(await selected()).toBe('false');
  await page.getByRole('button', { name: 'Keys', exact: true }).click();
  await page.getByRole('checkbox', { name: /shortcuts/ }).check();
  await page.keyboard.press('Escape');
  await page.keyboard.press('t');
  expect(await selected()).toBe('true');
}, 30 * SECONDS);

/** Whether the roll's ruler moves while music plays. */
async function scrolls(page: Page): Promise<boolean> {
  const ruler = () =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.roll canvas')!;
      return Array.from(canvas.getContext('2d')!.getImageData(60, 0, 600, 12).data).join();
    });
  const seen = new Set<string>();
  for (let i = 0; i < 6; ++i) {
    seen.add(await ruler());
    await page.waitForTimeout(0.15 * SECONDS);
  }
  return seen.size > 2;
}

test('with prefers-reduced-motion pages turn, and nothing is animated', async () => {
  for (const reducedMotion of ['no-preference', 'reduce'] as const) {
    const { page } = await open(browser, host.address, { reducedMotion });
    await page.locator('.start').click();
    await untilHeard(page);
    await page.waitForTimeout(1 * SECONDS);
    expect(await scrolls(page), reducedMotion).toBe(reducedMotion === 'no-preference');
    if (reducedMotion === 'reduce') expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    await page.context().close();
  }
}, 90 * SECONDS);

test('the screen stays on while music plays, and no longer', async () => {
  const { page } = await open(browser, host.address);
  await page.evaluate(() => {
    const { request } = WakeLock.prototype;
    WakeLock.prototype.request = async function (this: WakeLock, type?: WakeLockType) {
      return ((window as unknown as { held: WakeLockSentinel }).held = await request.call(this, type));
    };
  });
  const held = () => page.evaluate(() => (window as unknown as { held?: WakeLockSentinel }).held?.released === false);
  await page.locator('.start').click();
  await expect.poll(held, { timeout: 30 * SECONDS }).toBe(true);
  await page.keyboard.press('Space');
  await expect.poll(held).toBe(false);
}, 60 * SECONDS);

test('no other origin is reached, whatever asks, and no script of a stranger runs', async () => {
  const { page } = await open(browser, host.address);
  const refused = await page.evaluate(async () => {
    const violated: string[] = [];
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violated.push(effectiveDirective));
    const elsewhere = 'http://127.0.0.1:1/x';
    const tries: Record<string, () => Promise<unknown> | void> = {
      fetch: () => fetch(elsewhere),
      beacon: () => void navigator.sendBeacon(elsewhere),
      socket: () => void new WebSocket('ws://127.0.0.1:1'),
      image: () => void (new Image().src = elsewhere),
      frame: () => void document.body.append(Object.assign(document.createElement('iframe'), { src: elsewhere })),
      script: () => void document.head.append(Object.assign(document.createElement('script'), { src: elsewhere })),
      inline: () => void document.head.append(Object.assign(document.createElement('script'), { textContent: 'window.strange = 1' })),
      evaluated: () => void setTimeout('window.strange = 1'),
      style: () => void document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: elsewhere })),
      form: () => {
        const form = Object.assign(document.createElement('form'), { action: elsewhere, method: 'post' });
        document.body.append(form);
        form.submit();
      },
    };
    for (const attempt of Object.values(tries)) {
      try {
        await attempt();
      } catch {
        // Refused by throwing.
      }
    }
    await new Promise((later) => setTimeout(later, 500));
    return { violated, count: Object.keys(tries).length, strange: 'strange' in window };
  });
  expect(refused.strange).toBe(false);
  expect(refused.violated.length).toBeGreaterThanOrEqual(refused.count);
  expect(new Set(refused.violated)).toEqual(new Set(['connect-src', 'img-src', 'frame-src', 'script-src-elem', 'script-src', 'style-src-elem', 'form-action']));
}, 60 * SECONDS);
