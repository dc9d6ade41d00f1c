// The engine in Chromium: every build, what a stream can do, what goes wrong, and that nothing is left behind.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import ts from 'typescript';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Build } from '../src/core.ts';
import type { Note, Settings } from '../src/index.ts';
import { Host, launch, MODEL, open, repository, SECONDS } from './browser.ts';

const BUILDS: Build[] = ['simd', 'simd-threads', 'relaxed', 'relaxed-threads'];
let browser: Browser;
let context: BrowserContext;
let host: Host;
beforeAll(async () => {
  host = await new Host().start();
  host.instead = (path, _request, response) => {
    const script = PROCESSORS[path];
    if (script !== undefined) response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(script);
    return script !== undefined;
  };
  // The processes' memory is looked at, and garbage collected when asked.
  browser = await launch('--js-flags=--expose-gc');
}, 60 * SECONDS);
afterAll(async () => {
  await browser?.close();
  await host?.stop();
});
beforeEach(async () => void (context = await browser.newContext()));
afterEach(() => context.close());

const PROCESSORS: Record<string, string> = {
  '/no_c_sharp.js': ts.transpileModule(readFileSync(join(import.meta.dirname, 'no_c_sharp.ts'), 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  }).outputText,
  '/throws.js': `let calls = 0; export default { edit() { if (++calls > 30) throw new Error('no more ideas'); } };`,
  '/empty.js': 'export default {};',
};

interface Played {
  notes: Note[];
  build: string;
  threads: number;
}
/** The first seconds of music. */
const play = (page: Page, settings: Partial<Settings>, seconds: number): Promise<Played> =>
  page.evaluate(
    async ({ model, settings, seconds }) => {
      const engine = await midinfinite.load({ model, threads: 2 });
      const stream = await engine.createStream({ settings });
      const notes = [];
      for await (const note of stream.notes()) {
        if (note.onset >= seconds) break;
        notes.push(note);
      }
      const { build, threads } = engine.model;
      await engine.dispose();
      return { notes, build, threads };
    },
    { model: MODEL, settings, seconds },
  );

const MUSIC = 10;
// Recovery goes back as far as nobody has heard: what it changes depends on how far a listener is. Here it is off.
const SEEDS = [1, 2, 3];
const name = ({ onset, instrument, pitch }: Note) => `${onset.toFixed(2)} ${instrument}:${pitch}`;
const names = (notes: Note[]) => notes.map(name);
/** Until when two performances are the same, in whatever order notes of one onset stand. */
function parting(a: Note[], b: Note[]): number {
  const [these, those] = [a, b].map((notes) => new Set(names(notes))) as [Set<string>, Set<string>];
  const alone = [...a.filter((note) => !those.has(name(note))), ...b.filter((note) => !these.has(name(note)))];
  return Math.min(...alone.map(({ onset }) => onset));
}

describe('builds', () => {
  const played = new Map<Build, Note[][]>();
  test.each(BUILDS)('%s generates', async (build) => {
    const page = await open(context, host, build);
    const all: Note[][] = [];
    for (const seed of SEEDS) {
      const { notes, ...model } = await play(page, { seed, recover: false }, MUSIC);
      expect(model).toEqual({ build, threads: build.endsWith('-threads') ? 2 : 1 });
      expect(notes.length).toBeGreaterThan(10);
      expect(names(notes)).toEqual(names(notes.toSorted((a, b) => a.onset - b.onset)));
      all.push(notes);
    }
    played.set(build, all);
  }, 180 * SECONDS);

  test('threads change no note; with relaxed SIMD the notes are those of the native program', async () => {
    expect(played.size).toBe(BUILDS.length);
    expect(played.get('simd-threads')).toEqual(played.get('simd'));
    expect(played.get('relaxed-threads')).toEqual(played.get('relaxed'));
    const page = await open(context, host);
    const partings: Record<string, number[]> = { 'relaxed and default': [], 'relaxed and plain': [], 'simd and plain': [] };
    for (const [i, seed] of SEEDS.entries()) {
      for (const [kernels, builds] of [['', ['relaxed']], ['plain', ['relaxed', 'simd']]] as const) {
        const native = await nativeNotes(page, seed, kernels);
        for (const build of builds) partings[`${build} and ${kernels || 'default'}`]!.push(parting(played.get(build)![i]!, native));
      }
    }
    console.log('the same as natively until', partings);
    expect(partings['relaxed and default']).toEqual(SEEDS.map(() => Infinity));
  }, 300 * SECONDS);
});

/** What the program writes with these kernels (scripts/test-web builds it), read back. */
async function nativeNotes(page: Page, seed: number, kernels: string): Promise<Note[]> {
  const folder = mkdtempSync(join(tmpdir(), 'midinfinite-'));
  try {
    const file = join(folder, 'music.mid');
    const program = process.env.MIDINF_PROGRAM ?? join(repository, 'build/release/midinfinite');
    execFileSync(program, ['generate', '-o', file, '--seconds', String(MUSIC), '--seed', String(seed), '--recover', 'off'], {
      env: { ...process.env, MIDINFINITE_KERNELS: kernels },
      stdio: 'ignore',
    });
    const bytes = [...readFileSync(file)];
    return await page.evaluate(
      async ({ model, bytes }) => {
        const engine = await midinfinite.load({ model });
        const notes = await engine.readMidi(Uint8Array.from(bytes));
        await engine.dispose();
        return notes;
      },
      { model: MODEL, bytes },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a stream', () => {
  test('goes back, forth, other ways and on, and says so', async () => {
    const page = await open(context, host);
    const heard = await page.evaluate(async (model) => {
      const engine = await midinfinite.load({ model });
      const stream = await engine.createStream({ settings: { seed: 5 }, lookAhead: 6 });
      const followed = follow(stream);
      const ready = (to: number) => followed.until(({ state }) => state.generatedTo >= to);
      const now = () => structuredClone(followed.notes.filter(({ onset }) => onset < 5));

      await ready(6);
      const first = now();
      stream.advance(2);
      await stream.change({ ensemble: [0], scale: 0b101010110101 });
      await stream.change({ temperature: 0.9 }, true);
      await ready(8);
      const changed = now();
      const { settings, undoSteps } = followed.state;
      await stream.undo();
      await ready(6);
      const undone = now();
      const undoneSettings = followed.state.settings;
      await stream.redo();
      await ready(6);
      const redone = now();
      await stream.again(1);
      await ready(6);
      const again = now();
      const playhead = followed.state.playhead;

      await stream.seek(3);
      await stream.startTakes(2, 2);
      await followed.until(({ state }) => state.takes.length === 2 && state.takes.every(({ complete }) => complete));
      const { takes } = followed.state;
      const ways = [await stream.takeNotes(takes[0]!.id), await stream.takeNotes(takes[1]!.id)];
      await stream.acceptTake(takes[1]!.id);
      const accepted = followed.notes.filter(({ onset }) => onset >= takes[1]!.from && onset < takes[1]!.from + 1.5);

      const session = await stream.save();
      const copy = follow(await engine.createStream({ session }));
      await copy.until(() => true);
      const both = [now(), copy.notes.filter(({ onset }) => onset < 5)];
      await engine.dispose();
      return { first, changed, undone, redone, again, playhead, settings, undoneSettings, undoSteps, takes, ways, accepted, both };
    }, MODEL);

    const before = (notes: Note[], time: number) => names(notes.filter(({ onset }) => onset < time));
    expect(before(heard.changed, 2)).toEqual(before(heard.first, 2));
    expect(heard.changed).not.toEqual(heard.first);
    for (const { onset, instrument, pitch } of heard.changed)
      if (onset >= 2.25) expect([instrument, (0b101010110101 >> (pitch % 12)) & 1]).toEqual([0, 1]);
    expect(heard.settings).toMatchObject({ ensemble: [0], scale: 0b101010110101, temperature: 0.9, seed: 5 });
    expect(heard.undoSteps).toBe(1);
    expect(heard.undone).toEqual(heard.first);
    expect(heard.undoneSettings).toMatchObject({ ensemble: [], scale: 0xfff, temperature: 1 });
    expect(heard.redone).toEqual(heard.changed);
    expect(heard.playhead).toBe(1);
    expect(before(heard.again, 1)).toEqual(before(heard.first, 1));
    expect(heard.again).not.toEqual(heard.redone);

    expect(heard.takes[0]!.seed).not.toBe(heard.takes[1]!.seed);
    expect(names(heard.ways[0]!)).not.toEqual(names(heard.ways[1]!));
    expect(heard.accepted.length).toBeGreaterThan(0);
    expect(names(heard.ways[1]!)).toEqual(expect.arrayContaining(names(heard.accepted)));
    expect(heard.both[1]).toEqual(heard.both[0]);
  }, 120 * SECONDS);

  test('obeys a change as soon at every speed, and where the player stands right there', async () => {
    const page = await open(context, host);
    const heard = await page.evaluate(async (model) => {
      const engine = await midinfinite.load({ model });
      const all = [];
      for (const { speed, stands } of [0.25, 1, 4].flatMap((speed) => [{ speed, stands: false }, { speed, stands: true }])) {
        const stream = await engine.createStream({ settings: { seed: 5, ensemble: [40, 73] }, lookAhead: 2 / speed });
        stream.setSpeed(speed);
        const followed = follow(stream);
        await followed.until(({ state }) => state.generatedTo >= 2);
        stream.advance(1.5);
        // After a pause the player is where it was heard, which is before what it had been handed.
        const from = stands ? 1.3049 : 1.5 + 0.25 * speed;
        if (stands) stream.stand(from);
        await followed.until(({ state }) => state.generatedTo >= 3);
        const before = followed.notes.filter(({ onset }) => onset < from);
        await stream.change({ ensemble: [0] });
        await followed.until(({ state }) => state.generatedTo >= 3);
        all.push({ speed, stands, before, kept: followed.notes.filter(({ onset }) => onset < from), after: followed.notes.filter(({ onset }) => onset >= from) });
        await stream.dispose();
      }
      await engine.dispose();
      return all;
    }, MODEL);
    for (const { speed, stands, before, kept, after } of heard) {
      const here = `at ${speed}, ${stands ? 'standing' : 'playing'}`;
      expect(kept, here).toEqual(before);
      expect(after.length, here).toBeGreaterThan(0);
      expect(new Set(after.map(({ instrument }) => instrument)), here).toEqual(new Set([0]));
    }
  }, 120 * SECONDS);

  test('tells only what is new, and its notes go on where it went back to', async () => {
    const page = await open(context, host);
    const heard = await page.evaluate(async (model) => {
      const engine = await midinfinite.load({ model });
      const stream = await engine.createStream({ settings: { seed: 5, recover: false } });
      const told: { from: number; count: number }[] = [];
      stream.onUpdate(({ from, notes }) => told.push({ from, count: notes.length }));
      const followed = follow(stream);
      const notes = stream.notes()[Symbol.asyncIterator]();
      const next = async (count: number) => {
        const got = [];
        while (got.length < count) got.push((await notes.next()).value as Note);
        return got;
      };
      const first = await next(40);
      const back = first[20]!.onset;
      const { length } = followed.notes;
      told.length = 0;
      await stream.seek(first[30]!.onset);
      const seek = told[0]!;
      told.length = 0;
      await stream.again(back);
      const again = told[0]!;
      const second = await next(20);
      await engine.dispose();
      return { first, back, length, seek, again, second };
    }, MODEL);
    expect(heard.seek.count).toBe(0);
    expect(heard.again.count).toBe(0);
    expect(heard.again.from).toBeGreaterThan(heard.first[0]!.event);
    expect(heard.again.from).toBeLessThanOrEqual(heard.first[20]!.event);
    expect(heard.second[0]!.event).toBeLessThanOrEqual(heard.first[39]!.event);
    expect(Math.min(...heard.second.map(({ onset }) => onset))).toBeGreaterThanOrEqual(heard.back);
    expect(names(heard.second)).not.toEqual(names(heard.first.slice(20)));
  }, 60 * SECONDS);

  test('goes on from a prompt, and writes what came alone or behind it', async () => {
    const page = await open(context, host);
    const prompt = [...readFileSync(join(repository, 'tests/data/midi/strawberry.mid'))];
    const heard = await page.evaluate(
      async ({ model, bytes }) => {
        const engine = await midinfinite.load({ model });
        const prompt = (await engine.readMidi(Uint8Array.from(bytes))).filter(({ onset }) => onset < 10);
        const file = await engine.writeMidi(prompt);
        const stream = await engine.createStream({ prompt, lookAhead: 10 });
        const notes = [];
        for await (const note of stream.notes()) if (notes.push(note) === 20) break;
        const both = await engine.readMidi(await engine.writeMidi(notes, file));
        const alone = await engine.readMidi(await engine.writeMidi(notes));
        await engine.dispose();
        return { prompt, notes, both, alone };
      },
      { model: MODEL, bytes: prompt },
    );
    const last = Math.max(...heard.prompt.map(({ onset }) => onset));
    expect(Math.min(...heard.notes.map(({ onset }) => onset))).toBeGreaterThanOrEqual(last);
    expect(names(heard.alone).toSorted()).toEqual(names(heard.notes).toSorted());
    expect(names(heard.both)).toEqual(expect.arrayContaining([...names(heard.prompt), ...names(heard.notes)]));
  }, 60 * SECONDS);

  test('obeys a processor in TypeScript', async () => {
    const page = await open(context, host);
    const sharps = ({ notes }: Played) => notes.filter(({ instrument, pitch }) => instrument < 128 && pitch % 12 === 1).length;
    // C sharp major, which has many of them if nobody forbids it.
    const settings = { seed: 3, ensemble: [0], scale: 0b010101101011 };
    expect(sharps(await play(page, settings, 10))).toBeGreaterThan(3);
    const obeyed = await play(page, { ...settings, processor: '/no_c_sharp.js' }, 10);
    expect(obeyed.notes.length).toBeGreaterThan(10);
    expect(sharps(obeyed)).toBe(0);
  }, 120 * SECONDS);

  test('a processor that throws is told once, ends the notes, and taken away the music goes on', async () => {
    const page = await open(context, host);
    const heard = await page.evaluate(async (model) => {
      const engine = await midinfinite.load({ model });
      const stream = await engine.createStream({ settings: { processor: '/throws.js' } });
      const told: object[] = [];
      stream.onError(({ code, message }) => told.push({ code, message }));
      let thrown: unknown;
      try {
        for await (const note of stream.notes()) stream.advance(note.onset);
      } catch (error) {
        thrown = error;
      }
      stream.advance(1);
      await new Promise((later) => setTimeout(later, 500));
      await stream.change({ processor: null });
      const { state } = await follow(stream).until(({ state }) => state.generatedTo > 3);
      await engine.dispose();
      return { told, thrown: thrown instanceof midinfinite.EngineError && thrown.code, processor: state.settings.processor };
    }, MODEL);
    const message = 'the processor /throws.js threw in edit: no more ideas';
    expect(heard).toEqual({ told: [{ code: 'invalid argument', message }], thrown: 'invalid argument', processor: null });
  }, 60 * SECONDS);
});

test('what goes wrong is an EngineError with a code and one line', async () => {
  const page = await open(context, host);
  const errors = await page.evaluate(async (model) => {
    const errors: Record<string, string> = {};
    const attempt = async (what: string, promise: Promise<unknown>) => {
      try {
        await promise;
        errors[what] = 'nothing';
      } catch (error) {
        errors[what] = error instanceof midinfinite.EngineError ? `${error.code}: ${error.message}` : `no EngineError: ${String(error)}`;
      }
    };
    await attempt('noise', midinfinite.load({ model: new TextEncoder().encode('noise').buffer as ArrayBuffer }));
    await attempt('missing', midinfinite.load({ model: { ...model, url: '/missing.gguf', sha256: '00' } }));
    const engine = await midinfinite.load({ model });
    await attempt('temperature', engine.createStream({ settings: { temperature: -1 } }));
    await attempt('session', engine.createStream({ session: new Uint8Array(9) }));
    await attempt('no module', engine.createStream({ settings: { processor: '/missing.js' } }));
    await attempt('no processor', engine.createStream({ settings: { processor: '/empty.js' } }));
    await attempt('midi', engine.readMidi(new Uint8Array(20)));
    const stream = await engine.createStream();
    await attempt('change', stream.change({ topP: 2 }));
    await attempt('undo', stream.undo());
    await attempt('take', stream.acceptTake(99));
    await stream.dispose();
    await attempt('disposed stream', stream.save());
    const late = engine.createStream();
    await engine.dispose();
    await attempt('meanwhile', late);
    await attempt('disposed engine', engine.createStream());
    return errors;
  }, MODEL);
  for (const message of Object.values(errors)) expect(message).toMatch(/^[^\n]{20,200}$/);
  expect(errors).toEqual({
    noise: expect.stringMatching(/^corrupt: /),
    missing: expect.stringMatching(/^not found: .*404/),
    temperature: expect.stringMatching(/^invalid argument: .*temperature/),
    session: expect.stringMatching(/^corrupt: /),
    'no module': expect.stringMatching(/^invalid argument: the processor \/missing.js could not be loaded: /),
    'no processor': expect.stringMatching(/^invalid argument: the processor \/empty.js is none: .*narrow or edit/),
    midi: expect.stringMatching(/^corrupt: /),
    change: expect.stringMatching(/^invalid argument: .*top-p/),
    undo: expect.stringMatching(/^[a-z ]+: .*undo/),
    take: expect.stringMatching(/^[a-z ]+: .*take/),
    'disposed stream': 'invalid argument: this stream was disposed of',
    meanwhile: 'cancelled: the engine was disposed of',
    'disposed engine': 'cancelled: the engine was disposed of',
  });
}, 60 * SECONDS);

test('in the calling thread: the same notes, by the same interface', async () => {
  const page = await open(context, host, 'relaxed');
  const [there, here] = await page.evaluate(async (model) => {
    const all = [];
    for (const { load } of [midinfinite, inPage]) {
      const engine = await load({ model });
      const notes = [];
      for await (const note of (await engine.createStream({ settings: { seed: 4 } })).notes()) if (notes.push(note) === 20) break;
      const stream = await engine.createStream();
      await engine.dispose();
      all.push({ notes, ended: await stream.save().catch(({ code }: { code: string }) => code) });
    }
    return all;
  }, MODEL);
  expect(here).toEqual(there);
  expect(here!.ended).toBe('cancelled');
}, 60 * SECONDS);

describe('what is disposed of leaves nothing', () => {
  test('20 streams: the memory of WebAssembly stays as large as after the first', async () => {
    const page = await open(context, host);
    const sizes = await page.evaluate(async (model) => {
      const { instantiateStreaming } = WebAssembly;
      let memory: WebAssembly.Memory | undefined;
      WebAssembly.instantiateStreaming = async (...all) => {
        const made = await instantiateStreaming(...all);
        memory = Object.values(made.instance.exports).find((value) => value instanceof WebAssembly.Memory);
        return made;
      };
      const engine = await inPage.load({ model });
      const sizes: number[] = [];
      for (let i = 0; i < 20; ++i) {
        const stream = await engine.createStream({ settings: { seed: i } });
        let notes = 0;
        for await (const _ of stream.notes()) if (++notes === 3) break;
        await stream.dispose();
        sizes.push(memory!.buffer.byteLength);
      }
      await engine.dispose();
      return sizes;
    }, MODEL);
    expect(sizes[0]).toBeGreaterThan(60e6);
    expect(new Set(sizes.slice(1)).size).toBe(1);
  }, 120 * SECONDS);

  test.each(['midinfinite', 'inPage'] as const)('5 engines (%s): the page needs no more than after the first', async (from) => {
    const page = await open(context, host);
    const sizes: number[] = [];
    for (let i = 0; i < 5; ++i) {
      await page.evaluate(
        async ({ from, model }) => {
          const engine = await globalThis[from].load({ model });
          const stream = await engine.createStream();
          for await (const _ of stream.notes()) break;
          await engine.dispose();
          // Twice: what the first frees may hold more.
          for (let j = 0; j < 2; ++j) {
            (globalThis as unknown as { gc(): void }).gc();
            await new Promise((later) => setTimeout(later, 300));
          }
        },
        { from, model: MODEL },
      );
      sizes.push(await rendererMemory());
    }
    expect(sizes.at(-1)).toBeLessThan(sizes[0]! + 40e6);
  }, 120 * SECONDS);
});

/** What the largest of Chromium's pages has in memory, in bytes. */
async function rendererMemory(): Promise<number> {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
  await cdp.detach();
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))![1]));
  return Math.max(...sizes);
}
