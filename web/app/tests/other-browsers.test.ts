// The built app in Firefox ESR (over WebDriver BiDi) and WebKitGTK (over its own driver): the first note is heard, the
// music goes on, the export is a MIDI file. A sound server without a device and a screen without a display are started
// for them: without an output the clock of their audio does not run. Which of them are installed is run; Debian has all
// (scripts/install-dependencies --for browsers).
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { afterAll, beforeAll, test, vi } from 'vitest';
import { measureSound, type PlainHost, SECONDS } from './browser.ts';
import { serve } from './listen.ts';

interface Driven {
  run<T>(script: string): Promise<T>;
  click(selector: string): Promise<void>;
  close(): Promise<void>;
}
const DISPLAY = ':97';
const runtime = mkdtempSync(join(tmpdir(), 'midinfinite-browsers-'));
const environment = { ...process.env, XDG_RUNTIME_DIR: runtime, DISPLAY, LIBGL_ALWAYS_SOFTWARE: '1', WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' };
const helpers: ChildProcess[] = [];
let host: PlainHost;

beforeAll(async () => {
  host = await serve();
  helpers.push(
    spawn('pulseaudio', ['-n', '--daemonize=no', '--exit-idle-time=-1', '-L', 'module-native-protocol-unix', '-L', 'module-null-sink'], { env: environment, stdio: 'ignore' }),
    spawn('Xvfb', [DISPLAY, '-screen', '0', '1440x900x24'], { stdio: 'ignore' }),
  );
  await until('a sound server', () => existsSync(join(runtime, 'pulse/native')), 10);
});
afterAll(async () => {
  for (const helper of helpers) helper.kill();
  await host?.stop();
  rmSync(runtime, { recursive: true, force: true });
});

const until = (what: string, there: () => boolean | Promise<boolean>, seconds: number) =>
  vi.waitFor(async () => {
    if (!(await there())) throw new Error(`there was not ${what} within ${seconds} s`);
  }, { timeout: seconds * SECONDS, interval: 100 });

async function firefox(): Promise<Driven> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    headless: true,
    env: environment,
  });
  const page = await browser.newPage();
  await page.setViewport({ width: 1440, height: 900 });
  await page.goto(host.address);
  return {
    run: (script) => page.evaluate(`(() => { ${script} })()`) as Promise<never>,
    click: (selector) => page.click(selector),
    close: () => browser.close(),
  };
}

function miniBrowser(): string | undefined {
  const libraries = '/usr/lib/x86_64-linux-gnu';
  const folder = existsSync(libraries) && readdirSync(libraries).find((name) => existsSync(join(libraries, name, 'MiniBrowser')));
  return folder ? join(libraries, folder, 'MiniBrowser') : undefined;
}

async function webKit(): Promise<Driven> {
  const port = 4400 + (process.pid % 500);
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], { env: environment, stdio: 'ignore' });
  helpers.push(driver);
  const ask = async (method: string, path: string, body?: object): Promise<never> => {
    const answer = await fetch(`http://127.0.0.1:${port}/session${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = (await answer.json()) as { value: { error?: string; message?: string } };
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value as never;
  };
  await until('a driver', async () => (await fetch(`http://127.0.0.1:${port}/status`)).ok, 10);
  const options = { binary: miniBrowser(), args: ['--automation'] };
  const { sessionId } = await ask('POST', '', { capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': options } } });
  const session = `/${sessionId as string}`;
  await ask('POST', `${session}/url`, { url: host.address });
  return {
    run: (script) => ask('POST', `${session}/execute/sync`, { script, args: [] }),
    click: async (selector) => {
      const element = Object.values(await ask('POST', `${session}/element`, { using: 'css selector', value: selector }))[0];
      await ask('POST', `${session}/element/${element as string}/click`, {});
    },
    close: async () => {
      await ask('DELETE', session);
      driver.kill();
    },
  };
}

async function plays(browser: Driven): Promise<void> {
  try {
    await until('the page', () => browser.run('return document.querySelector(".start") !== null'), 30);
    await browser.run(`(${measureSound.toString()})()`);
    // What is offered for download is kept, so that it can be looked at.
    await browser.run('const url = URL.createObjectURL; URL.createObjectURL = (blob) => { window.offered = blob; return url.call(URL, blob); }');
    await browser.click('.start');
    await until('sound', () => browser.run('return (window.peak?.() ?? 0) > 0.01'), 60);
    await until('ten seconds of music', () => browser.run('return document.querySelector(".time").textContent >= "0:10"'), 60);

    await browser.click('[aria-label="Pause"]');
    await browser.run('document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "e", bubbles: true }))');
    await until('a file', () => browser.run('return window.offered?.size > 100'), 10);
    await browser.run('window.offered.slice(0, 4).text().then((text) => { window.head = text; })');
    await until('a MIDI file', () => browser.run('return window.head === "MThd"'), 5);
  } finally {
    await browser.close();
  }
}

test.skipIf(!existsSync('/usr/bin/firefox-esr'))('Firefox plays and exports', async () => plays(await firefox()), 150 * SECONDS);
test.skipIf(miniBrowser() === undefined)('WebKitGTK plays and exports', async () => plays(await webKit()), 150 * SECONDS);
