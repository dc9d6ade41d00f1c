// What the tests share: Chromium, and a host of this repository whose pages have the built package as `midinfinite` and
// `inPage`. Run after `npm run build` and scripts/build-web.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, resolve } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Build } from '../src/core.ts';
import type { ModelSource, Note, Stream, StreamState } from '../src/index.ts';

export const SECONDS = 1000;
export const engine = resolve(import.meta.dirname, '..');
export const repository = resolve(engine, '../..');
export const modelFile = resolve(repository, 'models/mini-q8_0.gguf');

const bytes = readFileSync(modelFile);
const sha256 = createHash('sha256').update(bytes).digest('hex');
export const MODEL = { url: '/models/mini-q8_0.gguf', sha256, bytes: bytes.length } satisfies ModelSource;

declare global {
  /** What pages have. */
  var midinfinite: typeof import('../src/index.ts');
  var inPage: typeof import('../src/in_page.ts');
  var follow: (stream: Stream) => Followed;
}
/** A stream as its updates tell it. */
export interface Followed {
  notes: Note[];
  state: StreamState;
  until(holds: (followed: Followed) => boolean): Promise<Followed>;
}

export const launch = (...args: string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', ...args],
  });

const MEDIA_TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const PAGE = `<script type="module">
  globalThis.midinfinite = await import('/web/engine/dist/index.js');
  globalThis.follow = (stream) => {
    let changed = () => {};
    const followed = {
      notes: [],
      state: undefined,
      async until(holds) {
        while (!followed.state || !holds(followed)) await new Promise((done) => (changed = done));
        return followed;
      },
    };
    stream.onUpdate(({ from, notes, state }) => {
      followed.notes = [...followed.notes.filter(({ event }) => event < from), ...notes];
      followed.state = state;
      changed();
    });
    return followed;
  };
  globalThis.inPage = await import('/web/engine/dist/in_page.js');
</script>`;

/** Serves a folder; a page at `/`, unless it has one. */
export class Host {
  readonly requests: string[] = [];
  /** With the headers that threads need. */
  isolated = true;
  /** Answers instead where it returns true. */
  instead: (path: string, request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  #server: Server | undefined;
  #port = 0;

  constructor(private readonly folder = repository) {}
  get address(): string {
    return `http://localhost:${this.#port}/`;
  }
  async start(): Promise<this> {
    if (!existsSync(new URL('../dist/index.js', import.meta.url))) throw new Error('web/engine/dist has no index.js: npm run build');
    this.#server = createServer((request, response) => this.#answer(request, response));
    await new Promise<void>((listening) => this.#server!.listen(this.#port, 'localhost', listening));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }
  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((closed) => this.#server?.close(closed));
  }
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = normalize(decodeURI(new URL(request.url!, 'http://localhost').pathname));
    this.requests.push(path);
    if (this.isolated) response.setHeader('Cross-Origin-Opener-Policy', 'same-origin').setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    if (this.instead(path, request, response)) return;
    const file = join(this.folder, path === '/' ? 'index.html' : path);
    const size = statSync(file, { throwIfNoEntry: false })?.isFile() ? statSync(file).size : undefined;
    if (size === undefined && path === '/') return void response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    if (size === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': MEDIA_TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Length': size });
    createReadStream(file).pipe(response);
  }
}

/** A page with `midinfinite`, which is made to take `build`. */
export async function open(context: BrowserContext, host: Host, build?: Build): Promise<Page> {
  const page = await context.newPage();
  host.isolated = build === undefined || build.endsWith('-threads');
  // What a browser without relaxed SIMD says of the test module for it.
  if (build?.startsWith('simd'))
    await page.route('**/dist/core.js', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `const { validate } = WebAssembly;
        WebAssembly.validate = (bytes) => bytes.length !== 36 && validate(bytes);
        ${await response.text()}` });
    });
  await page.goto(host.address);
  await page.waitForFunction(() => 'inPage' in globalThis);
  return page;
}
