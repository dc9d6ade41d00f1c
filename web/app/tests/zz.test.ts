import { test } from 'vitest';
import { preview } from 'vite';
import { launch, open, root, peak } from './browser.ts';
test('x', async () => {
  const server = await preview({ root, logLevel: 'silent', preview: { port: 0 }, build: { outDir: process.env.DIST ?? 'dist' } });
  const browser = await launch();
  const { page, complaints } = await open(browser, server.resolvedUrls!.local[0]!, {colorScheme:'dark'});
  await page.locator('.start').click();
  for (let i = 0; i < 5; ++i) { await page.waitForTimeout(1500); console.log(await page.getByRole('timer').innerText(), await peak(page)); }
  await page.keyboard.press('k');
  await page.waitForTimeout(500);
  await page.keyboard.press('r');
  await page.keyboard.press('a');
  await page.waitForTimeout(700);
  await page.getByRole('button', { name: 'Continue from 1 note' }).click();
  for (let i = 0; i < 8; ++i) { await page.waitForTimeout(700); console.log(await page.getByRole('timer').innerText(), await peak(page), complaints, (await page.locator('.picture').innerText()).slice(0,100), await page.locator('.notice').allInnerTexts(), await page.locator('dl.meter').innerText()); }
  await page.screenshot({ path: '/tmp/s6/play-1.png' });
  await browser.close();
}, 60000);
