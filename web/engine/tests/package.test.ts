// The package as others get it: packed, installed into an empty Vite project elsewhere, its types checked, built and served
// by Vite, played in Chromium. The project's page is the README's example; another uses the engine in its own worker.
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { build, createServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { engine, Host, launch, MODEL, modelFile, SECONDS } from './browser.ts';

const EXAMPLE = /```ts\n(.*?)```/s.exec(readFileSync(join(engine, 'README.md'), 'utf8'))![1]!;
const OWN_WORKER = `
import { load } from 'midinfinite/in-page';
onmessage = async ({ data }: MessageEvent<{ url: string; sha256: string; bytes: number }>) => {
  const engine = await load({ model: data });
  let notes = 0;
  for await (const _ of (await engine.createStream()).notes()) if (++notes === 10) break;
  postMessage(\`\${engine.model.build}: \${notes} notes\`);
  await engine.dispose();
};`;
const MAIN_OF_OWN_WORKER = `
const worker = new Worker(new URL('./own-worker.ts', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => console.log(data);
worker.postMessage(${JSON.stringify({ ...MODEL, url: '/mini-q8_0.gguf' })});`;
const page = (script: string) => `<!doctype html><script type="module" src="/${script}"></script>`;

let folder: string;
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'midinfinite-package-'));
  const files: Record<string, string> = {
    'package.json': JSON.stringify({ private: true, type: 'module' }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: { target: 'ES2022', module: 'ESNext', moduleResolution: 'bundler', lib: ['ES2022', 'DOM'], types: [], strict: true, noEmit: true },
      include: ['src'],
    }),
    'index.html': page('src/main.ts'),
    'own-worker.html': page('src/main-of-own-worker.ts'),
    'src/main.ts': EXAMPLE,
    'src/own-worker.ts': OWN_WORKER,
    'src/main-of-own-worker.ts': MAIN_OF_OWN_WORKER,
  };
  mkdirSync(join(folder, 'src'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: engine, encoding: 'utf8' });
  const { filename } = (JSON.parse(packed.slice(packed.indexOf('[\n'))) as [{ filename: string }])[0];
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`], { cwd: folder, stdio: 'ignore' });
  browser = await launch();
}, 120 * SECONDS);
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Opens a page and gives what it has logged, once a line of that matches. */
async function logged(address: string, last: RegExp): Promise<string[]> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const lines: string[] = [];
  page.on('console', (message) => lines.push(message.text()));
  page.on('pageerror', (error) => lines.push(error.message));
  await page.goto(address);
  await expect.poll(() => lines.join('\n'), { timeout: 60 * SECONDS }).toMatch(last);
  await context.close();
  return lines;
}
const NOTE_AFTER_20_S = /^20\.\d\d (0|32|128) \d+$/m;

test('its types suit a strict program', () => {
  execFileSync(process.execPath, [join(engine, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' });
}, 60 * SECONDS);

test('built: the example of the README plays, with threads and without, and so does a worker of its own', async () => {
  expect(EXAMPLE.trim().split('\n').length).toBeLessThanOrEqual(15);
  const input = [join(folder, 'index.html'), join(folder, 'own-worker.html')];
  await build({ root: folder, configFile: false, logLevel: 'error', build: { rolldownOptions: { input } } });
  const host = await new Host(join(folder, 'dist')).start();
  host.instead = (path, _request, response) => {
    if (path !== '/mini-q8_0.gguf') return false;
    createReadStream(modelFile).pipe(response);
    return true;
  };
  try {
    for (const isolated of [true, false]) {
      host.isolated = isolated;
      host.requests.length = 0;
      const lines = await logged(host.address, NOTE_AFTER_20_S);
      expect(lines.filter((line) => /^\d+\.\d\d (0|32|128) \d+$/.test(line)).length).toBeGreaterThan(10);
      expect(host.requests.some((path) => /midinfinite-.*-threads.*\.wasm$/.test(path))).toBe(isolated);
    }
    host.isolated = true;
    await logged(`${host.address}own-worker.html`, /^(simd|relaxed)-threads: 10 notes$/m);
  } finally {
    await host.stop();
  }
}, 200 * SECONDS);

test("in Vite's development server", async () => {
  const server = await createServer({
    root: folder,
    configFile: false,
    logLevel: 'error',
    optimizeDeps: { exclude: ['midinfinite'] },
    plugins: [
      {
        name: 'model',
        configureServer: ({ middlewares }) =>
          void middlewares.use('/mini-q8_0.gguf', (_request, response) => createReadStream(modelFile).pipe(response)),
      },
    ],
    server: { port: 0, headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' } },
  });
  await server.listen();
  try {
    await logged(server.resolvedUrls!.local[0]!, NOTE_AFTER_20_S);
    await logged(`${server.resolvedUrls!.local[0]!}own-worker.html`, /^(simd|relaxed)-threads: 10 notes$/m);
  } finally {
    await server.close();
  }
}, 120 * SECONDS);
