// Where the engine computes: one network, its streams, the one with the least music ahead first. It computes an id, looks
// whether anybody said something, computes the next.
import { bestBuild, type Core, type CoreModel, type CoreProcessor, type CoreStream } from './core.ts';
import type { FromWorker, Request, Told, ToWorker } from './messages.ts';
import { modelBytes, StoreError } from './model_store.ts';
import { countOf, eventAt, firstDifference, sliceFrom } from './notes.ts';
import type { EngineErrorData, ModelInfo, Processor, Settings, StreamState } from './types.ts';

const SLICE_MS = 12; // computing at a stretch, before messages are looked at
const REPORT_MS = 100; // the state is told at least so often while music plays
const SPEED_WINDOW_MS = 3000;

interface Served {
  core: CoreStream;
  processor: string | null;
  told: Float64Array; // notes as the page knows them, from the event `settled` on
  settled: number; // events below will not change unless the stream goes back
  start: number;
  playhead: number; // wanted
  reached: number;
  lastReport: number;
  idle: boolean;
}

let core: Core | null = null;
let model: CoreModel | null = null;
const streams = new Map<number, Served>();
let nextStream = 1;
let loading: AbortController | null = null;
let computing = false;
const speed: { at: number; ms: number; ids: number }[] = [];

const post = (message: FromWorker, transfer: Transferable[] = []) => postMessage(message, { transfer });

function errorData(error: unknown): EngineErrorData {
  if (error && typeof error === 'object' && 'code' in error && 'message' in error)
    return { code: String(error.code) as EngineErrorData['code'], message: String(error.message) };
  if (error instanceof RangeError) return { code: 'out of memory', message: 'there is not enough memory: close other tabs' };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

async function load(request: Extract<Request, { do: 'load' }>): Promise<ModelInfo> {
  const build = bestBuild();
  if (!build) throw new StoreError('unsupported', 'this browser runs no WebAssembly, or an old form of it');
  loading = new AbortController();
  post({ progress: { phase: 'program', done: 0, total: 0 } });
  const [started, { bytes, kept }] = await Promise.all([
    core ?? start(`${request.base}midinfinite-${build}.mjs`),
    modelBytes(request.model, (progress) => post({ progress }), loading.signal),
  ]);
  core = started;
  post({ progress: { phase: 'load', done: 0, total: bytes.length } });
  // One processor is left to the page and its sound: threads that wait for a busy one are slower than fewer.
  const spare = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 1) - 1));
  const threads = build.endsWith('-threads') ? (request.threads ?? spare) : 1;
  const address = core._malloc(bytes.length);
  if (address === 0) throw new StoreError('out of memory', 'there is not enough memory for the model: close other tabs');
  try {
    core.HEAPU8.set(bytes, address);
    const loaded = new core.Model(address, bytes.length, threads);
    dispose();
    model = loaded;
  } finally {
    core._free(address);
  }
  return { ...model.info(), bytes: bytes.length, build, kept };
}

async function start(url: string): Promise<Core> {
  try {
    const module = (await import(/* @vite-ignore */ url)) as { default: () => Promise<Core> };
    return await module.default();
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new StoreError('i/o', 'the engine could not be fetched or started: check the connection and try again');
  }
}

function dispose(): void {
  for (const stream of streams.values()) stream.core.delete();
  streams.clear();
  model?.delete();
  model = null;
}

async function processorFrom(url: string | null): Promise<CoreProcessor | null> {
  if (url === null) return null;
  const module = (await import(/* @vite-ignore */ url)) as { default: Processor };
  return {
    narrow: module.default.narrow?.bind(module.default) ?? null,
    edit: module.default.edit?.bind(module.default) ?? null,
  };
}

// ---- computing

// Tells the page what became of the music since it was last told.
function report(id: number, stream: Served, now: number, always = false): void {
  const current = stream.core.notesFrom(stream.settled);
  const from = firstDifference(stream.told, current);
  if (from < 0 && !always && now - stream.lastReport < REPORT_MS) return;
  const changed = from >= 0 && from < countOf(current);
  const first = changed ? eventAt(current, from) : afterLast(current, stream.settled);
  const notes = changed ? sliceFrom(current, from) : new Float64Array();
  const state = stateOf(stream);
  stream.lastReport = now;
  // What begins well before the playhead stays.
  const keep = settledNotes(current, state.playhead - 1);
  stream.settled = keep > 0 ? eventAt(current, keep - 1) : stream.settled;
  stream.told = keep > 0 ? sliceFrom(current, keep - 1) : current;
  post({ stream: id, from: first, notes, state }, [notes.buffer]);
}
const stateOf = (stream: Served): StreamState => ({ ...stream.core.state(), tokensPerSecond: idsPerSecond(), start: stream.start });
const afterLast = (notes: Float64Array, settled: number) =>
  countOf(notes) > 0 ? eventAt(notes, countOf(notes) - 1) + 1 : settled;
function settledNotes(notes: Float64Array, before: number): number {
  let count = 0;
  while (count < countOf(notes) && notes[count * 6]! < before) ++count;
  return count;
}

function idsPerSecond(): number {
  const since = performance.now() - SPEED_WINDOW_MS;
  while (speed.length > 0 && speed[0]!.at < since) speed.shift();
  let ids = 0;
  let ms = 0;
  for (const slice of speed) (ids += slice.ids), (ms += slice.ms);
  return ms > 0 ? (1000 * ids) / ms : 0;
}

const channel = new MessageChannel();
channel.port1.onmessage = compute;
function wake(): void {
  if (computing) return;
  computing = true;
  channel.port2.postMessage(null); // behind the messages that are waiting
}

function compute(): void {
  computing = false;
  const begun = performance.now();
  let ids = 0;
  let busy = true;
  while (busy && performance.now() - begun < SLICE_MS) {
    busy = false;
    const waiting = [...streams.entries()].filter(([, s]) => !s.idle);
    waiting.sort(([, a], [, b]) => ahead(a) - ahead(b));
    for (const [id, stream] of waiting) {
      try {
        if (stream.core.step()) {
          ++ids;
          busy = true;
          break;
        }
      } catch (error) {
        failed(id, stream, error);
      }
      stream.idle = true;
    }
  }
  const now = performance.now();
  if (ids > 0) speed.push({ at: now, ms: now - begun, ids });
  for (const [id, stream] of streams) report(id, stream, now);
  if (busy) wake();
}
const ahead = (stream: Served) => stream.core.state().generatedTo - stream.playhead;
function failed(id: number, stream: Served, error: unknown): void {
  stream.idle = true;
  post({ failed: id, error: errorData(error) });
}

// After a change beyond the playhead: the page knows before it gets the answer.
function tell(id: number, stream: Served): void {
  report(id, stream, performance.now(), true);
  stream.idle = false;
  wake();
}

// After anything that may have changed music before the playhead.
function retell(id: number, stream: Served): void {
  stream.settled = 0;
  stream.told = new Float64Array();
  stream.idle = false;
  const notes = stream.core.notesFrom(0);
  stream.told = notes;
  const state = stateOf(stream);
  stream.playhead = stream.reached = state.playhead;
  stream.lastReport = performance.now();
  const copy = notes.slice();
  post({ stream: id, from: 0, notes: copy, state }, [copy.buffer]);
  wake();
}

function advance(id: number, to: number): void {
  const stream = streams.get(id);
  if (!stream || to <= stream.reached) return;
  stream.playhead = to;
  stream.reached = stream.core.advance(to);
  stream.idle = false;
  wake();
}

// ---- requests

async function answer(request: Request): Promise<unknown> {
  if (request.do === 'load') return load(request);
  if (!core || !model) throw new StoreError('invalid argument', 'there is no model: load one first');
  switch (request.do) {
    case 'create': {
      const { settings, session } = request.options;
      const processor = await processorFrom(settings.processor);
      const created = new core.Stream(model, { ...request.options, processor, session });
      const id = nextStream++;
      const playhead = created.state().playhead;
      streams.set(id, {
        core: created, processor: settings.processor, told: new Float64Array(), settled: 0, start: playhead, playhead,
        reached: playhead, lastReport: 0, idle: false,
      });
      wake();
      return id;
    }
    case 'readMidi':
      return core.midiRead(request.bytes);
    case 'writeMidi':
      return request.prompt ? core.midiContinue(request.prompt, request.notes) : core.midiWrite(request.notes);
  }
  const stream = streams.get(request.stream);
  if (!stream) throw new StoreError('invalid argument', 'this stream was disposed of');
  switch (request.do) {
    case 'tell':
      return { from: 0, notes: stream.core.notesFrom(0), state: stateOf(stream) } satisfies Told;
    case 'change': {
      await useProcessor(stream, request.settings);
      stream.core.change(request.settings, request.amend);
      return tell(request.stream, stream);
    }
    case 'again':
      stream.core.again(request.from);
      return retell(request.stream, stream);
    case 'undo':
      stream.core.undo();
      return retell(request.stream, stream);
    case 'redo':
      stream.core.redo();
      return retell(request.stream, stream);
    case 'seek':
      stream.core.seek(request.to);
      return retell(request.stream, stream);
    case 'startTakes':
      stream.core.startTakes(request.count, request.seconds);
      return tell(request.stream, stream);
    case 'takeNotes':
      return stream.core.takeNotes(request.id);
    case 'acceptTake':
      stream.core.acceptTake(request.id);
      return retell(request.stream, stream);
    case 'dropTakes':
      stream.core.dropTakes();
      return tell(request.stream, stream);
    case 'save':
      return stream.core.save();
    case 'dispose':
      stream.core.delete();
      return void streams.delete(request.stream);
  }
}

async function useProcessor(stream: Served, settings: Settings): Promise<void> {
  if (settings.processor === stream.processor) return;
  const processor = await processorFrom(settings.processor);
  stream.core.setProcessor(processor ?? { narrow: null, edit: null });
  stream.processor = settings.processor;
}

onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if ('cancelLoad' in data) return loading?.abort();
  if ('advance' in data) return advance(data.stream, data.advance);
  answer(data.request).then(
    (result) => post({ id: data.id, result: result ?? null }),
    (error: unknown) => post({ id: data.id, error: errorData(error) }),
  );
};
