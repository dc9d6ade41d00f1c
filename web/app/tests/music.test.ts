// What a listener does to the music, in the built app in Chromium: other music, undo and redo, takes, settings, the mixer.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { dist, launch, peak, type PlainHost, SECONDS, untilHeard } from './browser.ts';
import { forgetRecord, music, openListening, recorded, serve, type WrittenNote } from './listen.ts';

const PIANO = 0;
const DRUMS = 128;
const C_MAJOR = [0, 2, 4, 5, 7, 9, 11];
let browser: Browser;
let host: PlainHost;
let page: Page;
let complaints: string[];
beforeAll(async () => {
  browser = await launch();
  host = await serve();
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});
beforeEach(async () => {
  ({ page, complaints } = await openListening(browser, host.address));
  await page.locator('.start').click();
  await untilHeard(page);
}, 60 * SECONDS);
afterEach(async () => {
  expect(complaints).toEqual([]);
  await page.context().close();
});

const button = (name: string) => page.getByRole('button', { name, exact: true });
const position = async () => (await page.getByRole('timer').innerText()).split(':').reduce((sum, part) => 60 * sum + Number(part), 0);
/** From now on the engine is asked for this late, as on a slow machine. */
const late = (asked: string, seconds: number) =>
  page.evaluate(
    ([asked, ms]) => {
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (this: Worker, ...all: [unknown]) {
        const { request } = all[0] as { request?: { do: string } };
        if (request?.do === asked) setTimeout(() => postMessage.apply(this, all), ms);
        else postMessage.apply(this, all);
      };
    },
    [asked, seconds * SECONDS] as const,
  );
const wait = (seconds: number) => page.waitForTimeout(seconds * SECONDS);
const text = (notes: WrittenNote[]) => notes.map(({ onset, instrument, pitch }) => `${onset} ${instrument} ${pitch}`);
/** Of how many notes the two are the same from the beginning. */
function shared(one: WrittenNote[], other: WrittenNote[]): number {
  const [first, second] = [text(one), text(other)];
  const differs = first.findIndex((note, i) => note !== second[i]);
  return differs < 0 ? first.length : differs;
}
/** Music stands still: what is written ahead is there. */
async function stopped(): Promise<WrittenNote[]> {
  let before = -1;
  await expect
    .poll(async () => {
      const now = (await music(page)).length;
      const same = now === before;
      before = now;
      return same;
    }, { timeout: 30 * SECONDS, interval: 500 })
    .toBe(true);
  return music(page);
}

test('again is other music from here on; undo brings the old back, redo the new', async () => {
  await wait(3);
  await page.keyboard.press('Space');
  const old = await stopped();
  expect(await button('Undo').isDisabled()).toBe(true);
  await button('Again').click();
  await expect.poll(() => button('Undo').isEnabled()).toBe(true);
  const fresh = await stopped();
  const common = shared(old, fresh);
  expect(common).toBeGreaterThan(0);
  expect(common).toBeLessThan(old.length);

  await page.keyboard.press('z');
  await expect.poll(() => button('Redo').isEnabled()).toBe(true);
  expect(shared(await stopped(), old)).toBeGreaterThanOrEqual(old.length);
  await page.keyboard.press('Shift+Z');
  await expect.poll(() => button('Redo').isDisabled()).toBe(true);
  expect(shared(await stopped(), fresh)).toBeGreaterThanOrEqual(fresh.length);
  await button('Play').click();
  await untilHeard(page);
}, 120 * SECONDS);

test('three takes are written beside the music; one of them is taken, and undone', async () => {
  await button('Choose…').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Solo piano' }).click();
  await page.keyboard.press('Escape');
  await wait(2);
  await page.keyboard.press('t');
  // The music itself goes first: a slow machine finds time for takes when it need not play.
  await page.keyboard.press('Space');
  await expect.poll(() => page.getByRole('button', { name: 'Take it' }).count()).toBe(3);
  await expect.poll(() => page.getByRole('progressbar', { name: 'Take 1' }).evaluate((bar: HTMLProgressElement) => bar.value), { timeout: 60 * SECONDS }).toBe(1);
  await expect.poll(() => page.getByRole('button', { name: 'Take it' }).nth(1).isEnabled(), { timeout: 60 * SECONDS }).toBe(true);
  const old = await music(page);
  await page.getByRole('button', { name: 'Take it' }).nth(1).click();
  await expect.poll(() => page.getByText('Taken.').isVisible()).toBe(true);
  await expect.poll(async () => shared(old, await music(page))).toBeLessThan(old.length);
  await page.getByText('Taken.').getByRole('button', { name: 'Undo' }).click();
  await expect.poll(async () => shared(old, await music(page)), { timeout: 20 * SECONDS }).toBe(old.length);
  await page.keyboard.press('Space');
  await untilHeard(page);
}, 120 * SECONDS);

test('another ensemble, another key and another speed are heard', async () => {
  await button('Choose…').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('searchbox').fill('grand piano');
  await dialog.getByRole('checkbox').first().check();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByLabel('Mode of the key').selectOption({ label: 'Major' });
  await wait(4);
  await forgetRecord(page);
  await expect.poll(async () => (await recorded(page)).struck.length, { timeout: 30 * SECONDS }).toBeGreaterThan(30);
  const { struck } = await recorded(page);
  expect(new Set(struck.map(({ program }) => program))).toEqual(new Set([PIANO]));
  expect(struck.map(({ key }) => key % 12).filter((pitch) => !C_MAJOR.includes(pitch))).toEqual([]);

  await page.getByLabel('Transpose').fill('1');
  await wait(1);
  await forgetRecord(page);
  await expect.poll(async () => (await recorded(page)).struck.length, { timeout: 30 * SECONDS }).toBeGreaterThan(10);
  expect((await recorded(page)).struck.map(({ key }) => (key + 11) % 12).filter((pitch) => !C_MAJOR.includes(pitch))).toEqual([]);

  await page.getByLabel('Speed').fill('-1');
  const from = await position();
  await wait(4);
  const moved = (await position()) - from;
  expect(moved).toBeGreaterThanOrEqual(1);
  expect(moved).toBeLessThanOrEqual(3);
}, 120 * SECONDS);

const choose = async (preset: string) => {
  await button('Choose…').click();
  await page.getByRole('dialog').getByRole('button', { name: preset, exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Done' }).click();
};
const takeDrumsOut = () => page.getByTitle('Take Drum kit out').click();
const drumsSince = async (audio: number) => (await recorded(page)).struck.filter((note) => note.program === DRUMS && note.audio > audio).length;

test('a change is heard within half a second at every speed', async () => {
  for (const [exponent, seconds] of [[-2, 4], [0, 3], [2, 3]] as const) {
    await choose('Jazz trio');
    await page.getByLabel('Speed').fill(String(exponent));
    await wait(seconds);
    expect(await drumsSince(0)).toBeGreaterThan(0);
    await takeDrumsOut();
    const { clicks } = await recorded(page);
    await wait(2);
    expect(await drumsSince(clicks.at(-1)!.audio + 0.5), `at speed ${2 ** exponent}`).toBe(0);
    await forgetRecord(page);
  }
}, 60 * SECONDS);

test('a change while the music is paused: nothing of what was comes after it', async () => {
  for (let round = 0; round < 2; ++round) {
    await choose('Jazz trio');
    await wait(3);
    await page.keyboard.press('Space');
    await takeDrumsOut();
    await wait(0.5);
    await forgetRecord(page);
    await page.keyboard.press('Space');
    await expect.poll(async () => (await recorded(page)).struck.length, { timeout: 10 * SECONDS }).toBeGreaterThan(5);
    expect(await drumsSince(0)).toBe(0);
  }
}, 60 * SECONDS);

test('a change while the music waits: nothing of what was comes after it', async () => {
  const held: (() => void)[] = [];
  const { instead } = host;
  host.instead = (path, request, response) => {
    instead(path, request, response);
    if (!path.startsWith('fonts/')) return false;
    held.push(() => void response.end(readFileSync(join(dist, path))));
    return true;
  };
  await page.context().close();
  ({ page, complaints } = await openListening(browser, host.address));
  await page.getByRole('button', { name: 'Jazz trio' }).click();
  await page.locator('.start').click();
  await expect.poll(async () => (await music(page)).some(({ instrument, onset }) => instrument === DRUMS && onset < 0.25), { timeout: 30 * SECONDS }).toBe(true);
  await takeDrumsOut();
  host.instead = instead;
  for (const answer of held) answer();
  await expect.poll(async () => (await recorded(page)).struck.length, { timeout: 20 * SECONDS }).toBeGreaterThan(5);
  expect(await drumsSince(0)).toBe(0);
}, 60 * SECONDS);

test('volume, mute and solo are heard', async () => {
  const loudest = async (seconds: number) => {
    await forgetRecord(page);
    await wait(seconds);
    return Math.max(...(await recorded(page)).peaks.map(({ peak }) => peak));
  };
  expect(await loudest(3)).toBeGreaterThan(0.02);
  await page.getByLabel('Master volume').fill('0');
  await wait(1);
  expect(await loudest(2)).toBeLessThan(0.001);
  await page.getByLabel('Master volume').fill('1');
  const full = await loudest(3);
  expect(full).toBeGreaterThan(0.02);
  expect(full).toBeLessThanOrEqual(1);

  // Everybody mute, also who comes in later; then one alone.
  const mutes = page.locator('button[aria-label^="Mute "]');
  const solo = page.locator('button[aria-label^="Solo "]').first();
  await solo.click();
  await mutes.first().click();
  await wait(2);
  expect(await loudest(3)).toBeLessThan(0.005);
  await mutes.first().click();

  // Who plays alone and is absent from the next piece does not silence it.
  const absent = (await solo.getAttribute('aria-label')) === 'Solo Flute' ? 'oboe' : 'flute';
  await button('Choose…').click();
  await page.getByRole('dialog').getByRole('searchbox').fill(absent);
  await page.getByRole('dialog').getByRole('checkbox').first().check();
  await page.keyboard.press('Escape');
  await page.keyboard.press('n');
  await wait(1);
  await untilHeard(page);
  expect(await peak(page)).toBeLessThanOrEqual(1);
}, 120 * SECONDS);

test('a slip of the finger ends no piece: the one before is a click away, also after a reload', async () => {
  await wait(5);
  await page.keyboard.press('Space');
  const old = await stopped();
  const left = await position();
  await page.keyboard.press('n');
  await page.keyboard.press('n');
  // The new one is heard from its first note on.
  const struck = async () => {
    const { struck, clicks } = await recorded(page);
    return struck.filter(({ wall }) => wall > clicks.at(-1)!.wall);
  };
  await expect.poll(async () => (await struck()).length, { timeout: 20 * SECONDS }).toBeGreaterThan(0);
  expect((await struck())[0]!.key).toBe((await music(page))[0]!.pitch);
  expect(shared(old, await music(page))).toBeLessThan(old.length);

  await button('Piece before').click();
  await expect.poll(async () => shared(old, await music(page)), { timeout: 20 * SECONDS }).toBe(old.length);
  expect(await position()).toBeGreaterThanOrEqual(left);
  await page.keyboard.press('Space');
  await wait(1);
  await page.reload();
  await page.getByText('Continue where you were').click();
  await untilHeard(page);
  expect(shared(old, await music(page))).toBe(old.length);
  await page.getByRole('tab', { name: 'Begin' }).click();
  await page.getByRole('button', { name: /^From nothing, at/ }).click();
  await expect.poll(async () => shared(old, await music(page)), { timeout: 20 * SECONDS }).toBeLessThan(old.length);
  await untilHeard(page);
}, 90 * SECONDS);

test('at four times the speed nothing jumps back when takes come late', async () => {
  await page.getByLabel('Speed').fill('2');
  await late('startTakes', 1);
  await page.keyboard.press('t');
  const places: number[] = [];
  for (let i = 0; i < 40; ++i) {
    places.push(Number(await page.getByRole('slider', { name: 'Position in the music' }).getAttribute('aria-valuenow')));
    await wait(0.05);
  }
  // Where it runs out, what is heard goes back by the output's latency.
  expect(Math.max(...places.slice(1).map((place, i) => places[i]! - place))).toBeLessThanOrEqual(1);
  expect(places.at(-1)).toBeGreaterThan(places[0]!);
}, 60 * SECONDS);

test('while a prompt is read the page says so, and takes settings', async () => {
  await late('create', 2);
  await page.getByRole('tab', { name: 'Begin' }).click();
  await page.getByRole('button', { name: 'Pop song 1' }).click();
  await expect.poll(() => page.getByText('Reading “Pop song 1”…').count()).toBe(1);
  await page.getByRole('tab', { name: 'Music' }).click();
  await page.getByLabel('Temperature').fill('0.5');
  await expect.poll(() => page.getByText('Reading “Pop song 1”…').count(), { timeout: 60 * SECONDS }).toBe(0);
  await untilHeard(page);
  expect(await page.getByLabel('Temperature').inputValue()).toBe('0.5');
}, 90 * SECONDS);

test('a stretch without notes makes no link, and says so', async () => {
  await page.keyboard.press('Space');
  const written = await stopped();
  const after = written.findIndex(({ onset }, i) => onset - (written[i - 1]?.onset ?? onset) > 0.15);
  const rest = written[after - 1]!.onset;
  const time = (seconds: number) => `0:${seconds.toFixed(2).padStart(5, '0')}`;
  await page.keyboard.press('E');
  await page.getByRole('radio', { name: 'A stretch' }).check();
  for (const [name, at] of [['From', rest + 0.05], ['To', rest + 0.1]] as const) {
    await page.getByRole('textbox', { name }).fill(time(at));
    await page.getByRole('textbox', { name }).press('Enter');
  }
  await page.getByRole('button', { name: 'Link' }).click();
  await expect.poll(() => page.locator('.notice').innerText()).toContain('There are no notes');
  expect(await page.getByRole('textbox', { name: 'Link' }).count()).toBe(0);
}, 60 * SECONDS);

test('the roll is told in words', async () => {
  await wait(1);
  expect(await page.locator('.roll [aria-live]').getAttribute('aria-live')).toBe('off');
  await wait(2);
  await page.keyboard.press('Space');
  await expect
    .poll(() => page.locator('.roll [aria-live]').innerText())
    .toMatch(/^Paused at 0 minutes \d+ seconds: .+; \d+ notes in the last 10 seconds/);
}, 60 * SECONDS);
