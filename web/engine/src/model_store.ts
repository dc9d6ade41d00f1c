// Where a model's bytes come from: a download that goes on where it stopped, is checked and kept in the origin's private
// file system; or the kept file; or bytes that somebody dropped. [worker]
import type { EngineErrorData, LoadProgress, ModelSource } from './types.ts';

export class StoreError extends Error {
  constructor(
    readonly code: EngineErrorData['code'],
    message: string,
  ) {
    super(message);
  }
}

type Report = (progress: LoadProgress) => void;
const FOLDER = 'midinfinite-models';
/** What a page that is closed, or breaks, loses of a download at most, in bytes. */
const KEEP_EVERY = 4e6;

const hex = (bytes: ArrayBuffer) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, '0')).join('');

async function matches(bytes: Uint8Array<ArrayBuffer>, sha256: string, report: Report): Promise<boolean> {
  report({ phase: 'check', done: 0, total: bytes.length });
  return hex(await crypto.subtle.digest('SHA-256', bytes)) === sha256.toLowerCase();
}

// The folder of kept models, or nothing where the browser has none (private windows, old ones).
async function folder(): Promise<FileSystemDirectoryHandle | null> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch {
    return null;
  }
}

async function read(kept: FileSystemDirectoryHandle, name: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return new Uint8Array(await (await (await kept.getFileHandle(name)).getFile()).arrayBuffer());
  } catch {
    return null;
  }
}

// Workers only, and not in TypeScript's library of pages.
interface SyncFile {
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { at: number }): number;
  getSize(): number;
  flush(): void;
  close(): void;
}

// From the place `at` on, which is the end of what is there.
async function write(kept: FileSystemDirectoryHandle, name: string, bytes: Uint8Array<ArrayBuffer>, at = 0): Promise<boolean> {
  try {
    const file = await kept.getFileHandle(name, { create: true });
    if (!('createSyncAccessHandle' in file)) {
      const writer = await file.createWritable({ keepExistingData: at > 0 });
      await writer.write({ type: 'write', position: at, data: bytes }).catch((error: unknown) => writer.abort().then(() => Promise.reject(error)));
      await writer.close();
      return true;
    }
    const access = await (file.createSyncAccessHandle as () => Promise<SyncFile>)();
    try {
      access.truncate(at);
      access.write(bytes, { at });
      // Full storage is no error: a part is written, and Chromium's count of it is wrong.
      if (access.getSize() !== at + bytes.length) throw new StoreError('i/o', 'there is no room');
      access.flush();
    } finally {
      access.close();
    }
    return true;
  } catch {
    // Out of quota: not even a part stays, nor what Chromium was copying it to.
    for (const left of [name, `${name}.crswap`]) await kept.removeEntry(left).catch(() => undefined);
    return false;
  }
}

async function download(
  source: { url: string; sha256: string; bytes: number },
  kept: FileSystemDirectoryHandle | null,
  report: Report,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(source.bytes);
  const partName = `${source.sha256}.part`;
  const part = kept ? await read(kept, partName) : null;
  let done = part && part.length < bytes.length ? part.length : 0;
  if (part && done > 0) bytes.set(part);
  let stored = done;
  let asked = done;
  let room = kept !== null;
  let keeping = Promise.resolve();
  // Beside the download: what the connection holds while nobody reads is lost when it breaks.
  const keepPart = () => {
    asked = done;
    return (keeping = keeping.then(async () => {
      const end = done;
      if (!kept || !room || end === stored || end === bytes.length) return;
      room = await write(kept, partName, bytes.subarray(stored, end), stored);
      stored = end;
    }));
  };
  try {
    const response = await fetch(source.url, { signal, headers: done > 0 ? { Range: `bytes=${done}-` } : {} });
    if (!response.ok || !response.body)
      throw new StoreError('not found', `the model could not be downloaded (${response.status}): try again later`);
    if (response.status !== 206) done = stored = asked = 0;
    const reader = response.body.getReader();
    for (;;) {
      const { done: end, value } = await reader.read();
      if (end) break;
      if (done + value.length > bytes.length) {
        await keeping;
        await kept?.removeEntry(partName).catch(() => undefined);
        throw new StoreError('corrupt', 'the download is longer than the model: reload the page');
      }
      bytes.set(value, done);
      done += value.length;
      report({ phase: 'download', done, total: bytes.length });
      if (done - asked >= KEEP_EVERY) void keepPart();
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    await keepPart();
    if (signal.aborted) throw new StoreError('cancelled', 'the download was cancelled; what came is kept');
    throw new StoreError('i/o', 'the download was interrupted: check the connection and try again, it goes on where it stopped');
  }
  if (done < bytes.length) {
    await keepPart();
    throw new StoreError('i/o', 'the download ended early: try again, it goes on where it stopped');
  }
  await keeping;
  await kept?.removeEntry(partName).catch(() => undefined);
  return bytes;
}

export interface Fetched {
  bytes: Uint8Array<ArrayBuffer>;
  /** In storage: not when it is full, or where there is none. */
  kept: boolean;
}

export async function modelBytes(source: ModelSource, report: Report, signal: AbortSignal): Promise<Fetched> {
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), kept: false };
  if (source instanceof Blob) return { bytes: await ofBlob(source), kept: false };
  const kept = await folder();
  if (!kept) return fetched(source, null, report, signal);
  // One page at a time: the next finds what the first stored.
  const lock = `midinfinite-model-${source.sha256}`;
  const mine = await navigator.locks.request(lock, { ifAvailable: true }, (got) => got && fetched(source, kept, report, signal));
  if (mine) return mine;
  report({ phase: 'wait', done: 0, total: source.bytes });
  try {
    return await navigator.locks.request(lock, { signal }, () => fetched(source, kept, report, signal));
  } catch (error) {
    throw error instanceof StoreError ? error : new StoreError('cancelled', 'waiting for the other tab was cancelled');
  }
}

async function ofBlob(file: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new StoreError('i/o', 'the file could not be read: it may have been moved, or be too large for this browser');
  }
}

async function fetched(
  source: { url: string; sha256: string; bytes: number },
  kept: FileSystemDirectoryHandle | null,
  report: Report,
  signal: AbortSignal,
): Promise<Fetched> {
  const stored = kept ? await read(kept, source.sha256) : null;
  if (kept && stored) {
    report({ phase: 'stored', done: stored.length, total: source.bytes });
    if (stored.length === source.bytes && (await matches(stored, source.sha256, report))) return { bytes: stored, kept: true };
    await kept.removeEntry(source.sha256).catch(() => undefined);
  }
  const bytes = await download(source, kept, report, signal);
  if (!(await matches(bytes, source.sha256, report)))
    throw new StoreError('corrupt', 'the download was damaged on its way: try again');
  return { bytes, kept: kept !== null && (await write(kept, source.sha256, bytes)) };
}
