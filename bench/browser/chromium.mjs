/* The peers in Chromium, each in a page of its own, for bench/compare-browser:

    node chromium.mjs ROOT

Serves ROOT with the headers that threads need. Each line on standard input is a question, {"peer", "do", "given"}, where
`do` is "load" or a function of the peer that was loaded; each line on standard output its answer, {"result"} or {"error"}.
One at a time: a peer that is not asked does nothing. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const IN_PAGE = ['wllama.mjs', 'wllama_2.mjs']; // the others run in a worker: these start one themselves
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };
const LOADER = 'globalThis.load = async (module, given) => (globalThis.peer = await (await import(module)).default(given)).name;';
const MADE = {
  '/page': ['text/html', `<!doctype html><title>peer</title><script type="module">${LOADER}</script>`],
  '/worker.mjs': ['text/javascript', LOADER],
};

const [, , root] = process.argv;
const server = createServer((request, response) => {
  const path = normalize(decodeURI(new URL(request.url, 'http://localhost').pathname));
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin').setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
  if (path in MADE) return void response.writeHead(200, { 'Content-Type': MADE[path][0] }).end(MADE[path][1]);
  const file = join(root, path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return void response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Length': statSync(file).size });
  createReadStream(file).pipe(response);
});
await new Promise((listening) => server.listen(0, 'localhost', listening));
const origin = `http://localhost:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking'],
});

const peers = new Map(); // by name: the page to bring to the front, and where the peer runs
async function opened(name, module) {
  const page = await browser.newPage(); // in a context, and so in a process, of its own
  page.on('console', (message) => console.error(`${name}: ${message.text()}`));
  page.on('pageerror', (error) => console.error(`${name}: ${error.stack}`));
  await page.goto(`${origin}/page`);
  if (IN_PAGE.includes(module)) return { page, place: page };
  const started = page.waitForEvent('worker');
  await page.evaluate(() => void new Worker('/worker.mjs', { type: 'module' }));
  return { page, place: await started };
}

const actions = {
  async load(name, given) {
    peers.set(name, await opened(name, given.module));
    const module = `${origin}/bench/browser/${given.module}`;
    return peers.get(name).place.evaluate(([module, given]) => globalThis.load(module, given), [module, given]);
  },
  async close(name) {
    await peers.get(name)?.page.close();
    peers.delete(name);
  },
};
async function ask(name, what, given) {
  if (what in actions) return actions[what](name, given);
  const { page, place } = peers.get(name);
  await page.bringToFront();
  return place.evaluate(([what, given]) => globalThis.peer[what](given), [what, given]);
}

console.log(JSON.stringify({ result: `Chromium ${browser.version()}` }));
for await (const line of createInterface({ input: process.stdin })) {
  const { peer, do: what, given } = JSON.parse(line);
  const answer = await ask(peer, what, given).then(
    (result) => ({ result: result ?? null }),
    (error) => ({ error: String(error.message).split('\n')[0] }),
  );
  console.log(JSON.stringify(answer));
}
await browser.close();
server.close();
