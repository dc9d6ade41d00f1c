// wllama as it is now: llama.cpp's server. It takes text only, so the file has a vocabulary added; it chooses its ids itself,
// and its own clock says how long those after the first took. WebGPU off, one slot, keys and values in float16.
import { BEFORE, CHECKED_ALONE, IDS, repeated } from './peer.mjs';
import { Wllama } from '/bench/browser/node_modules/@wllama/wllama/esm/index.js';

export default async function load({ model, ids, threads, version, shape: { vocabulary } }) {
  const wllama = new Wllama({ default: '/bench/browser/node_modules/@wllama/wllama/esm/wasm/wllama.wasm' });
  await wllama.loadModel([await (await fetch(model)).blob()], { n_ctx: 1024, n_threads: threads, n_gpu_layers: 0, n_parallel: 1, flash_attn: false });
  if (wllama.getNumThreads() !== threads) throw new Error(`it has ${wllama.getNumThreads()} threads`);
  // What it read before is not read again.
  const complete = (ids, options) =>
    wllama.createCompletion({ prompt: ids.map((id) => `<${id}>`).join(''), cache_prompt: true, samplers: ['top_k'], top_k: 1, ...options });
  const decode = async () => {
    const { timings } = await complete(ids.slice(0, BEFORE), { max_tokens: IDS + 1, ignore_eos: true });
    if (timings.predicted_n !== IDS + 1) throw new Error(`${timings.predicted_n} ids came`);
    return (1000 * IDS) / timings.predicted_ms;
  };
  return {
    name: `wllama ${version}`,
    // Logarithms of probabilities: the logits but for a constant.
    async logits(checked) {
      let answer;
      for (let count = checked.length - CHECKED_ALONE; count <= checked.length; ++count)
        answer = await complete(checked.slice(0, count), { max_tokens: 1, logprobs: vocabulary });
      const logits = [];
      for (const { id, logprob } of answer.choices[0].logprobs.content[0].top_logprobs) logits[id] = logprob;
      await decode();
      return logits;
    },
    decode: () => repeated(decode),
  };
}
