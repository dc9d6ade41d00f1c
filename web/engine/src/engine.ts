// The engine as a program holds it: everything here asks a Host (host.ts), in a worker or in this thread.
import type { FromWorker, Request, Told, ToWorker } from './messages.ts';
import { fromFlat, toFlat } from './notes.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import type {
  Engine, EngineErrorData, LoadOptions, ModelInfo, Note, Settings, Stream, StreamOptions, Update,
} from './types.ts';

export class EngineError extends Error implements EngineErrorData {
  override readonly name = 'EngineError';
  constructor(
    readonly code: EngineErrorData['code'],
    message: string,
  ) {
    super(message);
  }
}

const DISPOSED = () => new EngineError('cancelled', 'the engine was disposed of');

type Listener = (message: Extract<FromWorker, { stream: number } | { failed: number }>) => void;

/** To a host: a worker, or a channel within the thread. */
type Port = Worker | MessagePort;

// Requests and their answers.
class Connection {
  readonly listeners = new Map<number, Listener>();
  onProgress: LoadOptions['onProgress'];
  private nextId = 1;
  private readonly waiting = new Map<number, { done: (result: never) => void; failed: (error: Error) => void }>();

  readonly closed = new AbortController();

  constructor(
    private readonly port: Port,
    private readonly closePort: () => void,
  ) {
    port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ('progress' in data) return this.onProgress?.(data.progress);
      if ('stream' in data) return this.listeners.get(data.stream)?.(data);
      if ('failed' in data) return this.listeners.get(data.failed)?.(data);
      const asked = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ('error' in data) asked?.failed(new EngineError(data.error.code, data.error.message));
      else asked?.done(data.result as never);
    };
    if ('onerror' in port)
      port.onerror = (event) => {
        const error = { code: 'internal', message: event.message || 'the engine could not be started: reload the page' } as const;
        this.fail(new EngineError(error.code, error.message));
        for (const [failed, listener] of this.listeners) listener({ failed, error });
      };
  }
  send(message: ToWorker): void {
    this.port.postMessage(message);
  }
  close(): void {
    this.closed.abort();
    this.closePort(); // with all its memory
    this.fail(DISPOSED());
  }
  ask<Result>(request: Request): Promise<Result> {
    if (this.closed.signal.aborted) return Promise.reject(DISPOSED());
    const id = this.nextId++;
    return new Promise<Result>((done, failed) => {
      this.waiting.set(id, { done, failed });
      this.send({ id, request });
    });
  }
  private fail(error: Error): void {
    for (const { failed } of this.waiting.values()) failed(error);
    this.waiting.clear();
  }
}

const updateOf = ({ from, notes, state }: Told): Update => ({ from, notes: fromFlat(notes), state });

// Keeps no notes: whoever listens late is told by the engine what there is.
class HostedStream implements Stream {
  private readonly heard = new Set<(update: Update) => void>();
  private readonly broken = new Set<(error: EngineErrorData) => void>();
  private readonly gone = new AbortController();
  private readonly ended: AbortSignal;

  constructor(
    private readonly connection: Connection,
    private readonly id: number,
  ) {
    this.ended = AbortSignal.any([this.gone.signal, connection.closed.signal]);
    connection.listeners.set(id, (message) => {
      if ('failed' in message) for (const listener of this.broken) listener(new EngineError(message.error.code, message.error.message));
      else {
        const update = updateOf(message);
        for (const listener of this.heard) listener(update);
      }
    });
  }
  onError(listener: (error: EngineErrorData) => void): () => void {
    this.broken.add(listener);
    return () => this.broken.delete(listener);
  }
  onUpdate(listener: (update: Update) => void): () => void {
    let wanted = true;
    // Updates from after the answer follow it; those from before are in it.
    this.connection.ask<Told>({ do: 'tell', stream: this.id }).then(
      (told) => {
        if (!wanted) return;
        this.heard.add(listener);
        listener(updateOf(told));
      },
      () => undefined, // disposed of meanwhile
    );
    return () => {
      wanted = false;
      this.heard.delete(listener);
    };
  }
  advance(playhead: number): void {
    this.connection.send({ advance: playhead, stream: this.id });
  }
  stand(playhead: number): void {
    this.connection.send({ stand: playhead, stream: this.id });
  }
  setSpeed(speed: number): void {
    this.connection.send({ speed, stream: this.id });
  }
  async *notes(): AsyncGenerator<Note> {
    let waiting: Note[] = [];
    let known = 0;
    let start: number | undefined;
    let last = -1;
    let wake = () => {};
    const off = this.onUpdate(({ from, notes, state }) => {
      start ??= state.start;
      known = state.generatedTo;
      waiting = waiting.filter((note) => note.event < from);
      last = Math.min(last, from - 1);
      for (const note of notes) if (note.event > last && note.onset >= start) waiting.push(note);
      wake();
    });
    let failure: EngineErrorData | undefined;
    const offError = this.onError((error) => {
      failure = error;
      wake();
    });
    const end = () => wake();
    this.ended.addEventListener('abort', end);
    try {
      while (!this.ended.aborted) {
        if (waiting.length === 0 || waiting[0]!.onset >= known) {
          if (failure) throw failure;
          await new Promise<void>((woken) => (wake = woken));
          continue;
        }
        const note = waiting.shift()!;
        last = note.event;
        yield note;
        if (last === note.event) this.advance(note.onset); // not when the stream went back meanwhile
      }
    } finally {
      off();
      offError();
      this.ended.removeEventListener('abort', end);
    }
  }
  change(settings: Partial<Settings>, amend = false): Promise<void> {
    return this.connection.ask({ do: 'change', stream: this.id, settings, amend });
  }
  again(from = -1): Promise<void> {
    return this.connection.ask({ do: 'again', stream: this.id, from });
  }
  undo(): Promise<void> {
    return this.connection.ask({ do: 'undo', stream: this.id });
  }
  redo(): Promise<void> {
    return this.connection.ask({ do: 'redo', stream: this.id });
  }
  seek(to: number): Promise<void> {
    return this.connection.ask({ do: 'seek', stream: this.id, to });
  }
  startTakes(count: number, seconds: number): Promise<void> {
    return this.connection.ask({ do: 'startTakes', stream: this.id, count, seconds });
  }
  async takeNotes(id: number): Promise<Note[]> {
    return fromFlat(await this.connection.ask<Float64Array>({ do: 'takeNotes', stream: this.id, id }));
  }
  acceptTake(id: number): Promise<void> {
    return this.connection.ask({ do: 'acceptTake', stream: this.id, id });
  }
  dropTakes(): Promise<void> {
    return this.connection.ask({ do: 'dropTakes', stream: this.id });
  }
  save(): Promise<Uint8Array> {
    return this.connection.ask({ do: 'save', stream: this.id });
  }
  async dispose(): Promise<void> {
    this.gone.abort();
    this.connection.listeners.delete(this.id);
    await this.connection.ask({ do: 'dispose', stream: this.id });
  }
}

class HostedEngine implements Engine {
  constructor(
    private readonly connection: Connection,
    readonly model: ModelInfo,
  ) {}
  async createStream(options: StreamOptions = {}): Promise<Stream> {
    const id = await this.connection.ask<number>({
      do: 'create',
      options: {
        settings: { ...DEFAULT_SETTINGS, ...options.settings },
        prompt: toFlat(options.prompt ?? []),
        lookAhead: options.lookAhead ?? 4,
        velocity: options.velocity ?? 0,
        session: options.session ?? null,
      },
    });
    return new HostedStream(this.connection, id);
  }
  async readMidi(bytes: Uint8Array): Promise<Note[]> {
    return fromFlat(await this.connection.ask<Float64Array>({ do: 'readMidi', bytes }));
  }
  writeMidi(notes: Omit<Note, 'event'>[], prompt?: Uint8Array): Promise<Uint8Array> {
    return this.connection.ask({ do: 'writeMidi', notes: toFlat(notes), prompt: prompt ?? null });
  }
  async dispose(): Promise<void> {
    this.connection.close();
  }
}

/** Loads a model into the host that listens at the other end of `port`; `close` ends that. */
export async function connect(port: Port, close: () => void, options: LoadOptions): Promise<Engine> {
  const { model, threads, signal } = options;
  const connection = new Connection(port, close);
  connection.onProgress = options.onProgress;
  const cancel = () => connection.send({ cancelLoad: true });
  signal?.addEventListener('abort', cancel);
  try {
    signal?.throwIfAborted();
    const loaded = await connection.ask<ModelInfo>({ do: 'load', model, threads });
    signal?.throwIfAborted();
    return new HostedEngine(connection, loaded);
  } catch (error) {
    connection.close();
    throw error instanceof EngineError ? error : new EngineError('cancelled', 'loading was cancelled');
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}
