// Ours: decode.cc, linked as web/engine is, relaxed-threads.
import { repeated } from './peer.mjs';
import factory from '/build/web-threads/web/engine/decode.mjs';

export default async function load({ model, threads }) {
  const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
  const core = await factory();
  const address = core._malloc(file.length);
  core.HEAPU8.set(file, address);
  const ids = new core.Ids(address, file.length, threads);
  core._free(address);
  return {
    name: `midinfinite ${ids.kernels()}`,
    logits: (checked) => Array.from(ids.logits(checked)),
    decode: ({ whole }) => repeated(() => ids.decode(whole)),
  };
}
