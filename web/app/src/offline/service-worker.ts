// Serves the app from this browser's storage: offline, and with the headers that threads need, which a plain host does not
// send. A new version is fetched beside the old one and takes over when no page of the old one is left, so it changes
// nothing under a page that plays. Files are kept by their hash: a version fetches what changed, and drops what it lacks.
// The model (../../../engine) and the font (../audio/font.ts) are kept by those who load them.
import { buildsHere } from '../../../engine/src/core.ts';

declare const self: ServiceWorkerGlobalScope;
/** Path below the scope → SHA-256 in base64; vite.config.ts puts it in. */
declare const __FILES__: Record<string, string>;

const FILES = new Map(Object.entries(__FILES__));
const SCOPE = new URL(self.registration.scope);
const CACHE = `midinfinite ${SCOPE.pathname}`;
const PAGE = 'index.html';

self.addEventListener('install', (event) => event.waitUntil(fetchAll()));
self.addEventListener('activate', (event) => event.waitUntil(dropOthers()));
self.addEventListener('message', ({ data }) => data === 'take over' && void self.skipWaiting());
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return;
  const path = url.pathname.slice(SCOPE.pathname.length) || PAGE;
  if (FILES.has(path)) event.respondWith(path === PAGE && request.mode === 'navigate' ? page() : file(path));
});

const keyOf = (path: string) => new URL(`${path}?sha256=${encodeURIComponent(FILES.get(path)!)}`, SCOPE).href;

async function fetchAll(): Promise<void> {
  const cache = await caches.open(CACHE);
  const builds = buildsHere();
  const ofOtherBuild = (path: string) => path.startsWith('wasm/') && !builds.some((build) => path.startsWith(`wasm/midinfinite-${build}.`));
  const wanted = [...FILES.keys()].filter((path) => !ofOtherBuild(path));
  await Promise.all(wanted.map(async (path) => (await cache.match(keyOf(path))) ?? cache.put(keyOf(path), await checked(path))));
}

// From the network, and of this version: a host may be in the middle of an update, a cache on the way may be behind.
async function checked(path: string): Promise<Response> {
  const from = new URL(path, SCOPE);
  const integrity = `sha256-${FILES.get(path)}`;
  return fetch(from, { integrity }).catch(() => fetch(from, { integrity, cache: 'reload' }));
}

async function dropOthers(): Promise<void> {
  const cache = await caches.open(CACHE);
  const mine = new Set([...FILES.keys()].map(keyOf));
  for (const { url } of await cache.keys()) if (!mine.has(url)) await cache.delete(url);
}

async function file(path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(keyOf(path));
  if (kept) return isolated(kept);
  const fetched = await checked(path);
  await cache.put(keyOf(path), fetched.clone()).catch(() => undefined); // storage may be full
  return isolated(fetched);
}

// A page that is opened or loaded anew while no other is open is the moment for a version that waits.
async function page(): Promise<Response> {
  const { waiting } = self.registration;
  const open = waiting ? await self.clients.matchAll({ type: 'window', includeUncontrolled: true }) : [];
  if (waiting && open.filter(({ url }) => url.startsWith(SCOPE.href)).length < 2) {
    waiting.postMessage('take over');
    return new Response(null, { headers: { Refresh: '0' } });
  }
  return file(PAGE);
}

function isolated(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
