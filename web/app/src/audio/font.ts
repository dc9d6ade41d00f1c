// The sound font: fetched with progress, once; the browser's cache has it on the next visit.
export interface FontProgress {
  done: number;
  total: number;
}

export const FONT_BYTES = __FONT_BYTES__;

export async function fetchFont(onProgress: (progress: FontProgress) => void): Promise<ArrayBuffer> {
  const response = await fetch(new URL('fonts/FluidR3Mono_GM.sf3', document.baseURI));
  if (!response.ok || response.body === null) throw new Error(`The sounds could not be fetched (HTTP ${response.status}).`);
  const bytes = new Uint8Array(FONT_BYTES);
  let done = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (done + part.value.length > FONT_BYTES) throw new Error('The sound file is larger than it should be.');
    bytes.set(part.value, done);
    done += part.value.length;
    onProgress({ done, total: FONT_BYTES });
  }
  if (done !== FONT_BYTES) throw new Error('The sound file is incomplete.');
  return bytes.buffer;
}
