// What the browser tests share: Chromium, a page whose sound is measured, and a host as plain as they come.
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type LaunchOptions, type Page } from 'playwright-core';
import { expect } from 'vitest';

export const SECONDS = 1000;
export const root = resolve(import.meta.dirname, '..');
export const dist = resolve(root, process.env.DIST ?? 'dist');

const chromiumOptions = (args: string[] = []): LaunchOptions => ({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', ...args],
});
export const launch = (...args: string[]): Promise<Browser> => chromium.launch(chromiumOptions(args));
/** With a profile on disk, which outlives the browser. */
export const launchProfile = (folder: string, ...args: string[]): Promise<BrowserContext> =>
  chromium.launchPersistentContext(folder, { ...chromiumOptions(args), viewport: { width: 1440, height: 900 } });

const MEDIA_TYPES: Record<string, string> = {
  '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.txt': 'text/plain', '.webmanifest': 'application/manifest+json',
};

/** Files and their types, and nothing else: no policy, no isolation, no validators. */
export class PlainHost {
  readonly requests: string[] = [];
  /** What was answered whole; seconds since 1970. */
  readonly sent: { path: string; bytes: number; from: number; to: number }[] = [];
  /** Answers instead where it returns true. */
  instead: (path: string, request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  /** The line that all answers share, in bytes a second. */
  bytesPerSecond = Infinity;
  #server: Server | undefined;
  #port = 0;
  #free = 0;

  constructor(
    private folder: string,
    private readonly below = '/',
  ) {}
  get address(): string {
    return `http://localhost:${this.#port}${this.below}`;
  }
  /** Another version of the app is there from now on. */
  deploy(folder: string): void {
    this.folder = folder;
  }
  async start(): Promise<this> {
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
    const url = decodeURI(new URL(request.url!, 'http://localhost').pathname);
    const path = url.startsWith(this.below) ? url.slice(this.below.length) || 'index.html' : '';
    this.requests.push(path);
    if (this.instead(path, request, response)) return;
    const file = join(this.folder, normalize(`/${path}`));
    const size = statSync(file, { throwIfNoEntry: false })?.isFile() ? statSync(file).size : undefined;
    if (path === '' || size === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': MEDIA_TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Length': size });
    const line = new PassThrough();
    line.pipe(response);
    const from = Date.now() / 1000;
    line.on('finish', () => this.sent.push({ path, bytes: size, from, to: Date.now() / 1000 }));
    void this.#send(createReadStream(file), line);
  }
  async #send(from: AsyncIterable<Buffer>, to: PassThrough): Promise<void> {
    for await (const part of from) {
      if (this.bytesPerSecond !== Infinity) {
        this.#free = Math.max(this.#free, Date.now()) + (1000 * part.length) / this.bytesPerSecond;
        await new Promise((sent) => setTimeout(sent, this.#free - Date.now()));
      }
      if (to.destroyed || !to.writable) return;
      to.write(part);
    }
    to.end();
  }
}

/** Measures what reaches the speakers; for BrowserContext.addInitScript. */
export function measureSound(): void {
  const connect = AudioNode.prototype.connect as (this: AudioNode, ...all: unknown[]) => AudioNode;
  AudioNode.prototype.connect = function (this: AudioNode, ...all: unknown[]) {
    if (all[0] instanceof AudioDestinationNode) {
      const tap = this.context.createAnalyser();
      tap.fftSize = 4096;
      connect.call(this, tap);
      Object.assign(window, {
        peak: () => {
          const samples = new Float32Array(tap.fftSize);
          tap.getFloatTimeDomainData(samples);
          return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
        },
      });
    }
    return connect.apply(this, all);
  } as AudioNode['connect'];
}

export const peak = (page: Page) => page.evaluate(() => (window as unknown as { peak?: () => number }).peak?.() ?? 0);

export async function untilHeard(page: Page, within = 60 * SECONDS): Promise<void> {
  await expect.poll(() => peak(page), { timeout: within, interval: 50 }).toBeGreaterThan(0.01);
}

export interface Opened {
  page: Page;
  /** Errors, warnings, and requests to elsewhere. */
  complaints: string[];
}

export async function openIn(context: BrowserContext, address: string): Promise<Opened> {
  const page = await context.newPage();
  const complaints: string[] = [];
  const { origin } = new URL(address);
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('blob:')) complaints.push(`left the origin: ${url}`);
  });
  await page.addInitScript(measureSound);
  await page.goto(address);
  return { page, complaints };
}

export async function open(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Opened> {
  return openIn(await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options }), address);
}

/** The build that computes, and how many threads it has, as the meter says. */
export const meter = (page: Page) => page.locator('dl.meter').getAttribute('title');
export const kept = (page: Page) => page.evaluate(async () => void (await navigator.serviceWorker.ready));
