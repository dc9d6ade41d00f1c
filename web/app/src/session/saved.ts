// What survives a reload: of each piece the stream's own bytes and the page's settings, one record in IndexedDB.
import type { Strip } from '../audio/player.ts';

const VERSION = 1;
const DATABASE = 'midinfinite';
const STORE = 'session';
/** The only record that there was before there were several. */
const FIRST_ID = 'last';
/** Of earlier pieces. */
const MOST = 8;

export interface Saved {
  id: string;
  stream: Uint8Array<ArrayBuffer>;
  savedAt: number;
  /** Seconds of music at the playhead. */
  position: number;
  /** What lies before is the prompt. */
  start: number;
  speed: number;
  transpose: number;
  strips: [number, Strip][];
  scale: { root: number; mode: number } | undefined;
  prompt: { name: string; whole: Uint8Array<ArrayBuffer> | undefined } | undefined;
}

/** Checks a record, which an older version or another page may have written; undefined: of no use. */
export function readSaved(value: unknown): Saved | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const record = value as Partial<Saved> & { version?: unknown };
  if (record.version !== VERSION || !(record.stream instanceof Uint8Array) || record.stream.length === 0) return undefined;
  const number = (given: unknown, low: number, high: number, fallback: number) =>
    typeof given === 'number' && given >= low && given <= high ? given : fallback;
  return {
    id: typeof record.id === 'string' ? record.id : FIRST_ID,
    stream: record.stream,
    savedAt: number(record.savedAt, 0, Infinity, 0),
    position: number(record.position, 0, Infinity, 0),
    start: number(record.start, 0, Infinity, 0),
    speed: number(record.speed, 0.25, 4, 1),
    transpose: number(record.transpose, -24, 24, 0),
    strips: Array.isArray(record.strips) ? record.strips : [],
    scale: record.scale,
    prompt: record.prompt,
  };
}

/** The latest first; before them the one that this page played, where it was reloaded. */
export function inOrder(pieces: readonly Saved[], own: string | null): Saved[] {
  return pieces.toSorted((one, other) => Number(other.id === own) - Number(one.id === own) || other.savedAt - one.savedAt);
}

/** Which of too many to give up: not the latest, and of the others the one of which least was heard. */
export function surplus([, ...others]: readonly Saved[]): Saved[] {
  return others.toSorted((one, other) => other.position - one.position).slice(MOST - 1);
}

export async function store(saved: Saved): Promise<void> {
  await request('readwrite', (store) => store.put({ ...saved, version: VERSION }, saved.id));
}

export async function restore(): Promise<Saved[]> {
  return (await request('readonly', (store) => store.getAll())).map(readSaved).filter((piece) => piece !== undefined);
}

export async function forget(id: string): Promise<void> {
  await request('readwrite', (store) => store.delete(id));
}

async function request<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await settled<IDBDatabase>(() => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    return opening;
  });
  try {
    return await settled(() => act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function settled<T>(start: () => IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const running = start();
    running.onsuccess = () => resolve(running.result);
    running.onerror = () => reject(running.error ?? new Error('storage failed'));
  });
}
