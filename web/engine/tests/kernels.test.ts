// The kernels' own tests (src/kernels/kernels_test.cc), compiled for WebAssembly, in Chromium: every kernel against the
// plain one. Built by scripts/test-web, or: cmake --build build/web --target kernels_tests.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Host, launch, SECONDS } from './browser.ts';

let browser: Browser;
let host: Host;
beforeAll(async () => {
  host = await new Host().start();
  browser = await launch();
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});

test.each([
  ['simd', 'wasm_simd128'],
  ['relaxed', 'wasm_relaxed'],
])('%s', async (build, kernels) => {
  const page = await browser.newPage();
  await page.goto(host.address);
  const { status, lines } = await page.evaluate(
    (url) =>
      new Promise<{ status: number; lines: string[] }>((ended) => {
        const lines: string[] = [];
        const print = (line: string) => lines.push(line);
        // Not by import(), which this file's own compiler would change.
        const script = document.createElement('script');
        script.type = 'module';
        script.textContent = `import run from '${url}'; runTests(run);`;
        Object.assign(globalThis, {
          runTests: (run: (options: object) => Promise<void>) =>
            void run({ print, printErr: print, onExit: (status: number) => ended({ status, lines }) }).catch((error: unknown) => {
              lines.push(String(error));
              ended({ status: -1, lines });
            }),
        });
        document.head.append(script);
      }),
    `/build/web/web/engine/kernels_test-${build}.mjs`,
  );
  expect(status, lines.join('\n')).toBe(0);
  const passed = lines.filter((line) => line.startsWith(`[       OK ] Sets/Kernels.`) && line.includes(`/${kernels}`));
  expect(passed.length, lines.join('\n')).toBeGreaterThan(5);
}, 300 * SECONDS);
