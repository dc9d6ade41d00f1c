// The sound font: fetched with progress and checked, once; then it is kept for the next visit, beside the app's own files.
export interface FontProgress {
  done: number;
  total: number;
}

export const FONT_BYTES = __FONT_BYTES__;

export async function fetchFont(onProgress: (progress: FontProgress) => void): Promise<ArrayBuffer> {
  const url = new URL(`fonts/FluidR3Mono_GM.sf3?sha256=${__FONT_SHA256__}`, document.baseURI);
  const cache = await caches.open(`midinfinite-font ${url.pathname}`).catch(() => undefined); // private windows may have none
  const kept = await (await cache?.match(url))?.arrayBuffer();
  if (kept?.byteLength === FONT_BYTES) return kept;
  const bytes = await download(url, onProgress);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  if (Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') !== __FONT_SHA256__) {
    throw new Error('the sound file was damaged on its way');
  }
  await cache?.put(url, new Response(bytes)).catch(() => undefined); // storage may be full
  for (const { url: other } of (await cache?.keys()) ?? []) if (other !== url.href) await cache?.delete(other);
  return bytes.buffer;
}

async function download(url: URL, onProgress: (progress: FontProgress) => void): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok || response.body === null) throw new Error(`the sound file could not be fetched (HTTP ${response.status})`);
  const bytes = new Uint8Array(FONT_BYTES);
  let done = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (done + part.value.length > FONT_BYTES) throw new Error('the sound file is larger than it should be');
    bytes.set(part.value, done);
    done += part.value.length;
    onProgress({ done, total: FONT_BYTES });
  }
  if (done !== FONT_BYTES) throw new Error('the download of the sound file ended early');
  return bytes;
}
