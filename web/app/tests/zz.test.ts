import { test } from 'vitest';
import { preview } from 'vite';
import { launch, open, root, peak } from './browser.ts';
test('x', async () => {
  const server = await preview({ root, logLevel: 'silent', preview: { port: 0 }, build: { outDir: process.env.DIST ?? 'dist' } });
  const browser = await launch();
  const { page, complaints } = await open(browser, server.resolvedUrls!.local[0]!, {colorScheme:'dark', permissions: ['clipboard-read', 'clipboard-write']});
  const say = async (page: any) => console.log(await page.getByRole('timer').innerText(), await peak(page), complaints, (await page.locator('.picture').innerText()).slice(0,100), await page.locator('.notice').allInnerTexts(), (await page.locator('dl.meter').allInnerTexts()).join().replaceAll('\n', ' '));
  await page.getByRole('button', { name: 'Jazz trio' }).click();
  await page.locator('.start').click();
  for (let i = 0; i < 5; ++i) { await page.waitForTimeout(1000); }
  await page.keyboard.press('k');
  await page.waitForTimeout(2000);
  await page.keyboard.press('r');
  await page.keyboard.press('a');
  await page.waitForTimeout(700);
  await say(page);
  await page.getByRole('button', { name: 'Continue from 1 note' }).click();
  for (let i = 0; i < 6; ++i) { await page.waitForTimeout(700); await say(page); }
  await page.screenshot({ path: '/tmp/s6/play-1.png' });
  await page.keyboard.press('Escape');
  await page.keyboard.press('E');
  await page.getByRole('button', { name: 'Link' }).click();
  await page.waitForTimeout(500);
  const link = await page.getByRole('textbox', { name: 'Link' }).inputValue();
  const there = await open(browser, link);
  await there.page.waitForTimeout(1000);
  await there.page.getByRole('button', { name: 'Play it' }).click();
  for (let i = 0; i < 10; ++i) { await there.page.waitForTimeout(1000); await say(there.page); }
  await there.page.screenshot({ path: '/tmp/s6/play-2.png' });
  console.log(there.complaints);
  await browser.close();
}, 90000);
