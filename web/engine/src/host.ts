// Where the engine computes: one network, its streams, the one with the least music ahead first. It computes an id, looks
// whether anybody said something, computes the next. A worker has one, or a page (in_page.ts).
import { bestBuild, type Core, type CoreModel, type CoreProcessor, type CoreStream, type ProcessorFunctions } from './core.ts';
import type { FromWorker, Request, SentStreamOptions, Told, ToWorker } from './messages.ts';
import { modelBytes, StoreError } from './model_store.ts';
import { countOf, difference, eventAt, sliceFrom } from './notes.ts';
import { start } from './start.ts';
import type { EngineErrorData, ModelInfo, Processor, ProcessorStep, StreamState } from './types.ts';

const SLICE_MS = 12; // computing at a stretch, before messages are looked at
const REPORT_MS = 100; // the state is told at least so often while music plays
const SPEED_WINDOW_MS = 3000;
const TICKS_PER_SECOND = 100; // of the core, which rounds to them

interface Served {
  core: CoreStream;
  processors: Map<string, CoreProcessor>; // by URL
  thrown: { error: StoreError | null }; // by one of them
  told: Float64Array; // notes as the page knows them, from the event `settled` on
  settled: number; // events below will not change unless the stream goes back
  start: number;
  playhead: number; // wanted
  reached: number;
  stands: number | null; // where the player said so
  lastReport: number;
  stale: boolean; // the state was not told since the last id
  idle: boolean;
  failed: boolean; // until something changes
}

const NO_MODEL = () => new StoreError('invalid argument', 'there is no model: load one first');
const DISPOSED = () => new StoreError('invalid argument', 'this stream was disposed of');

function errorData(error: unknown): EngineErrorData {
  if (error && typeof error === 'object' && 'code' in error && typeof error.code === 'string' && 'message' in error)
    return { code: error.code as EngineErrorData['code'], message: String(error.message) };
  if (error instanceof RangeError) return { code: 'out of memory', message: 'there is not enough memory: close other tabs' };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

const wrong = (url: string, what: string, error: unknown) =>
  new StoreError('invalid argument', `the processor ${url} ${what}: ${error instanceof Error ? error.message : String(error)}`);

/** The core cannot be left by an exception: what a processor throws goes to `thrown`, and it is not called again. */
async function functionsFrom(url: string, thrown: { error: StoreError | null }): Promise<ProcessorFunctions> {
  const { default: processor } = (await import(/* @vite-ignore */ url).catch((error: unknown) => {
    throw wrong(url, 'could not be loaded', error);
  })) as { default?: Processor };
  if (typeof processor?.narrow !== 'function' && typeof processor?.edit !== 'function')
    throw wrong(url, 'is none', 'its default export needs a function narrow or edit');
  const guarded =
    <Values>(name: 'narrow' | 'edit') =>
    (step: ProcessorStep, ids: Int32Array, values: Values) => {
      if (thrown.error) return;
      try {
        (processor[name] as (step: ProcessorStep, ids: Int32Array, values: Values) => void)(step, ids, values);
      } catch (error) {
        thrown.error = wrong(url, `threw in ${name}`, error);
      }
    };
  return { url, narrow: processor.narrow ? guarded('narrow') : null, edit: processor.edit ? guarded('edit') : null };
}

const afterLast = (notes: Float64Array, settled: number) =>
  countOf(notes) > 0 ? eventAt(notes, countOf(notes) - 1) + 1 : settled;
function settledNotes(notes: Float64Array, before: number): number {
  let count = 0;
  while (count < countOf(notes) && notes[count * 6]! < before) ++count;
  return count;
}
const ahead = (stream: Served) => stream.core.state().generatedTo - stream.playhead;

export class Host {
  private starting: Promise<Core> | null = null;
  private core: Core | null = null;
  private model: CoreModel | null = null;
  private readonly streams = new Map<number, Served>();
  private nextStream = 1;
  private readonly loading = new AbortController();
  private computing = false;
  private readonly speed: { at: number; ms: number; ids: number }[] = [];
  private readonly channel = new MessageChannel();

  constructor(private readonly post: (message: FromWorker, transfer?: Transferable[]) => void) {
    this.channel.port1.onmessage = () => this.compute();
  }

  receive(message: ToWorker): void {
    if ('cancelLoad' in message) return this.loading.abort();
    if ('advance' in message) return this.advance(message.stream, message.advance);
    if ('stand' in message) return this.stand(message.stream, message.stand);
    if ('speed' in message) return this.setSpeed(message.stream, message.speed);
    this.answer(message.request).then(
      (result) => this.post({ id: message.id, result: result ?? null }),
      (error: unknown) => this.post({ id: message.id, error: errorData(error) }),
    );
  }

  /** Frees everything; nothing is answered afterwards. */
  dispose(): void {
    this.loading.abort();
    for (const stream of this.streams.values()) this.free(stream);
    this.streams.clear();
    this.model?.delete();
    this.starting?.then((core) => core.PThread?.terminateAllThreads()).catch(() => undefined); // told to who loads
    this.channel.port1.close();
    this.model = this.core = null;
  }

  private async load(request: Extract<Request, { do: 'load' }>): Promise<ModelInfo> {
    if (!globalThis.isSecureContext) throw new StoreError('unsupported', 'a page without https has no engine: open it with https or as localhost');
    const build = bestBuild();
    if (!build) throw new StoreError('unsupported', 'this browser runs no WebAssembly, or an old form of it');
    const { signal } = this.loading;
    this.post({ progress: { phase: 'program', done: 0, total: 0 } });
    const [core, { bytes, kept }] = await Promise.all([
      (this.starting = start(build)),
      modelBytes(request.model, (progress) => this.post({ progress }), signal),
    ]);
    if (signal.aborted) throw new StoreError('cancelled', 'loading was cancelled');
    this.core = core;
    this.post({ progress: { phase: 'load', done: 0, total: bytes.length } });
    // One processor is left to the page and its sound: threads that wait for a busy one are slower than fewer.
    const spare = Math.max(1, Math.min(4, (navigator.hardwareConcurrency || 1) - 1));
    const threads = build.endsWith('-threads') ? (request.threads ?? spare) : 1;
    const address = core._malloc(bytes.length);
    if (address === 0) throw new StoreError('out of memory', 'there is not enough memory for the model: close other tabs');
    try {
      core.HEAPU8.set(bytes, address);
      this.model = new core.Model(address, bytes.length, threads);
    } finally {
      core._free(address);
    }
    return { ...this.model.info(), bytes: bytes.length, build, kept };
  }

  // ---- computing

  // Tells the page what became of the music since it was last told.
  private report(id: number, stream: Served, now: number, always = false): void {
    const current = stream.core.notesFrom(stream.settled);
    const changed = difference(stream.told, current);
    if (!changed && !always && now - stream.lastReport < REPORT_MS) return;
    const state = this.postUpdate(id, stream, changed ?? { from: afterLast(current, stream.settled), notes: new Float64Array() }, now);
    // What begins well before the playhead stays.
    const keep = settledNotes(current, state.playhead - 1);
    stream.settled = keep > 0 ? eventAt(current, keep - 1) : stream.settled;
    stream.told = keep > 0 ? sliceFrom(current, keep - 1) : current;
  }
  private postUpdate(id: number, stream: Served, { from, notes }: Omit<Told, 'state'>, now: number): StreamState {
    const state = this.stateOf(stream);
    stream.lastReport = now;
    stream.stale = false;
    this.post({ stream: id, from, notes, state }, [notes.buffer]);
    return state;
  }
  private stateOf(stream: Served): StreamState {
    return { ...stream.core.state(), tokensPerSecond: this.idsPerSecond(), start: stream.start };
  }
  private idsPerSecond(): number {
    const since = performance.now() - SPEED_WINDOW_MS;
    while (this.speed.length > 0 && this.speed[0]!.at < since) this.speed.shift();
    let ids = 0;
    let ms = 0;
    for (const slice of this.speed) (ids += slice.ids), (ms += slice.ms);
    return ms > 0 ? (1000 * ids) / ms : 0;
  }

  private wake(): void {
    if (this.computing) return;
    this.computing = true;
    this.channel.port2.postMessage(null); // behind the messages that are waiting
  }

  private compute(): void {
    this.computing = false;
    const begun = performance.now();
    let ids = 0;
    let busy = true;
    while (busy && performance.now() - begun < SLICE_MS) {
      busy = false;
      const waiting = [...this.streams.entries()].filter(([, s]) => !s.idle && !s.failed);
      waiting.sort(([, a], [, b]) => ahead(a) - ahead(b));
      for (const [id, stream] of waiting) {
        try {
          const more = stream.core.step();
          if (stream.thrown.error) throw stream.thrown.error;
          if (more) {
            ++ids;
            busy = stream.stale = true;
            break;
          }
        } catch (error) {
          stream.failed = true;
          this.post({ failed: id, error: errorData(error) });
        }
        stream.idle = true;
      }
    }
    const now = performance.now();
    if (ids > 0) this.speed.push({ at: now, ms: now - begun, ids });
    for (const [id, stream] of this.streams) this.report(id, stream, now, stream.stale && !busy);
    if (busy) this.wake();
  }

  // After a change beyond the playhead: the page knows before it gets the answer.
  private tell(id: number, stream: Served): void {
    this.report(id, stream, performance.now(), true);
    stream.idle = stream.failed = false;
    stream.thrown.error = null;
    this.wake();
  }

  // Does what may change music before the playhead, or move that: the page knows before it gets the answer.
  private turn(id: number, stream: Served, act: () => void): void {
    const before = stream.core.notesFrom(0);
    act();
    this.unsettle(stream);
    const changed = difference(before, stream.told) ?? { from: afterLast(stream.told, 0), notes: new Float64Array() };
    const { playhead } = this.postUpdate(id, stream, changed, performance.now());
    stream.playhead = stream.reached = playhead;
    stream.stands = null;
    stream.idle = stream.failed = false;
    stream.thrown.error = null;
    this.wake();
  }
  private unsettle(stream: Served): void {
    stream.settled = 0;
    stream.told = stream.core.notesFrom(0);
  }

  private setSpeed(id: number, speed: number): void {
    const stream = this.streams.get(id);
    if (!stream) return;
    stream.core.setSpeed(speed);
    stream.idle = false;
    this.wake();
  }

  private stand(id: number, at: number): void {
    const stream = this.streams.get(id);
    if (!stream || at === stream.stands) return;
    stream.stands = at;
    stream.core.setPlaying(false);
    // The notes before it have been heard, also those of its own tick.
    const tick = Math.ceil(at * TICKS_PER_SECOND - 1e-6) / TICKS_PER_SECOND;
    const to = Math.min(tick, stream.core.state().generatedTo);
    if (to === stream.reached) return;
    try {
      stream.core.seek(to);
    } catch {
      return; // so long ago that it is forgotten: a change there says so
    }
    stream.playhead = stream.reached = to;
    this.unsettle(stream);
    stream.idle = false;
    this.wake();
  }

  private advance(id: number, to: number): void {
    const stream = this.streams.get(id);
    if (!stream) return;
    stream.core.setPlaying(true);
    stream.stands = null;
    if (to <= stream.reached) return;
    stream.playhead = to;
    stream.reached = stream.core.advance(to);
    stream.idle = false;
    this.wake();
  }

  // ---- requests

  private async create(options: SentStreamOptions): Promise<number> {
    const used = { processors: new Map<string, CoreProcessor>(), thrown: { error: null } };
    const loaded = await this.processor(options.settings.processor, used);
    if (!this.core || !this.model) throw NO_MODEL();
    const core = new this.core.Stream(this.model, { ...options, settings: { ...options.settings, loaded } });
    const { playhead } = core.state();
    const id = this.nextStream++;
    this.streams.set(id, {
      core, ...used, told: new Float64Array(), settled: 0, start: playhead, playhead, reached: playhead, stands: null,
      lastReport: 0, stale: false, idle: false, failed: false,
    });
    this.wake();
    return id;
  }
  private async processor(url: string | null, { processors, thrown }: Pick<Served, 'processors' | 'thrown'>): Promise<CoreProcessor | null> {
    if (!url) return null;
    const functions = processors.has(url) ? undefined : await functionsFrom(url, thrown);
    if (!this.core) throw NO_MODEL();
    if (functions) processors.set(url, new this.core.Processor(functions));
    return processors.get(url)!;
  }
  private free(stream: Served): void {
    stream.core.delete();
    for (const processor of stream.processors.values()) processor.delete();
  }

  private async answer(request: Request): Promise<unknown> {
    if (request.do === 'load') return this.load(request);
    if (request.do === 'create') return this.create(request.options);
    if (!this.core) throw NO_MODEL();
    switch (request.do) {
      case 'readMidi':
        return this.core.midiRead(request.bytes);
      case 'writeMidi':
        return request.prompt ? this.core.midiContinue(request.prompt, request.notes) : this.core.midiWrite(request.notes);
    }
    const stream = this.streams.get(request.stream);
    if (!stream) throw DISPOSED();
    switch (request.do) {
      case 'tell':
        return { from: 0, notes: stream.core.notesFrom(0), state: this.stateOf(stream) } satisfies Told;
      case 'change': {
        const { processor: url = stream.core.state().settings.processor } = request.settings;
        const loaded = await this.processor(url, stream);
        if (this.streams.get(request.stream) !== stream) throw DISPOSED();
        stream.core.change({ ...stream.core.state().settings, ...request.settings, loaded }, request.amend);
        return this.tell(request.stream, stream);
      }
      case 'again':
        return this.turn(request.stream, stream, () => stream.core.again(request.from));
      case 'undo':
        return this.turn(request.stream, stream, () => stream.core.undo());
      case 'redo':
        return this.turn(request.stream, stream, () => stream.core.redo());
      case 'seek':
        return this.turn(request.stream, stream, () => stream.core.seek(request.to));
      case 'startTakes':
        stream.core.startTakes(request.count, request.seconds);
        return this.tell(request.stream, stream);
      case 'takeNotes':
        return stream.core.takeNotes(request.id);
      case 'acceptTake':
        return this.turn(request.stream, stream, () => stream.core.acceptTake(request.id));
      case 'dropTakes':
        stream.core.dropTakes();
        return this.tell(request.stream, stream);
      case 'save':
        return stream.core.save();
      case 'dispose':
        this.free(stream);
        return void this.streams.delete(request.stream);
    }
  }
}
