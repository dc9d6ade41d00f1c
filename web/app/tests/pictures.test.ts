// Pictures of the app: `npm run pictures` takes those of the README; PICTURES=FOLDER takes every state, to be looked at.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, test } from 'vitest';
import { launch, open, type PlainHost, root, SECONDS, untilHeard } from './browser.ts';
import { serve } from './listen.ts';

const README = process.env.PICTURES === 'readme';
const folder = README ? resolve(root, '../../docs/images') : (process.env.PICTURES ?? '');
const DESKTOP = { name: 'desktop', viewport: { width: 1440, height: 900 } };
const PHONE = { name: 'phone', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

let browser: Browser;
let host: PlainHost;
beforeAll(async () => {
  browser = await launch();
  host = await serve();
  if (folder) mkdirSync(folder, { recursive: true });
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

const seconds = async (page: Page) => (await page.getByRole('timer').innerText()).split(':').reduce((sum, part) => 60 * sum + Number(part), 0);

async function play(page: Page): Promise<void> {
  await page.getByLabel('Seed', { exact: true }).fill('11');
  await page.getByLabel('Seed', { exact: true }).press('Enter');
  await page.getByRole('button', { name: 'Pop band' }).click();
  await page.locator('.start').click();
  await untilHeard(page);
  const late = Date.now() + 60 * SECONDS;
  while ((await seconds(page)) < 16 && Date.now() < late) await page.waitForTimeout(0.2 * SECONDS);
}

test.skipIf(!folder)('pictures', async () => {
  for (const { name, ...device } of [DESKTOP, PHONE]) {
    for (const colorScheme of ['dark', 'light'] as const) {
      if (README && colorScheme === 'light') continue;
      const { page } = await open(browser, host.address, { ...device, colorScheme });
      const take = async (state: string) => {
        await page.waitForTimeout(0.3 * SECONDS);
        writeFileSync(join(folder, README ? `app-${name}.png` : `${name}-${colorScheme}-${state}.png`), await page.screenshot());
      };
      const dialog = async (state: string, act: () => Promise<void>) => {
        await act();
        await take(state);
        await page.keyboard.press('Escape');
      };
      if (!README) await take('empty');
      await play(page);
      await take('playing');
      if (!README) {
        await dialog('ensemble', () => page.getByRole('button', { name: 'Choose…' }).click());
        await dialog('model', () => page.getByRole('button', { name: /^Model/ }).click());
        await dialog('keys', () => page.keyboard.press('?'));
        await page.getByRole('tab', { name: 'Begin' }).click();
        await take('begin');
        await page.keyboard.press('t');
        await page.getByRole('button', { name: 'Take it' }).nth(1).and(page.locator(':enabled')).waitFor({ timeout: 40 * SECONDS });
        await take('takes');
        host.instead = (path, _request, response) => path.startsWith('models/') && !!response.writeHead(503).end();
        const failing = await open(browser, host.address, { ...device, colorScheme });
        await failing.page.locator('.start').click();
        await failing.page.locator('.card[role=alert]').waitFor();
        writeFileSync(join(folder, `${name}-${colorScheme}-failing.png`), await failing.page.screenshot());
        await failing.page.context().close();
        host.instead = () => false;
      }
      await page.context().close();
    }
  }
}, 400 * SECONDS);
