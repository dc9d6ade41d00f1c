// wllama 2, the last that reads ids one by one as they are given: the file as it is, keys and values in float16.
import { decoding } from './peer.mjs';
import { Wllama } from '/bench/browser/node_modules/@wllama/wllama-2/esm/index.js';
const folder = '/bench/browser/node_modules/@wllama/wllama-2/esm';

export default async function load({ model, ids, threads, version }) {
  const builds = ['single-thread/wllama.wasm', 'multi-thread/wllama.wasm'];
  const wllama = new Wllama(Object.fromEntries(builds.map((build) => [build, `${folder}/${build}`])));
  await wllama.loadModel([await (await fetch(model)).blob()], { n_ctx: 1024, n_batch: 512, n_threads: threads, flash_attn: false });
  if (wllama.getNumThreads() !== threads) throw new Error(`it has ${wllama.getNumThreads()} threads`);
  return decoding(
    {
      name: `wllama ${version}`,
      read: (ids) => wllama.decode(ids, {}),
      rewind: (begin) => (begin === 0 ? wllama.kvClear() : wllama.kvRemove(begin, -1)),
      // Probabilities: their logarithms are the logits but for a constant.
      async last() {
        const logits = [];
        for (const { token, p } of await wllama.getLogits(-1)) logits[token] = Math.log(p);
        return logits;
      },
    },
    ids,
  );
}
