/* onnxruntime-web, its WebAssembly provider, on a graph of prepare.py. Keys and values lie in its memory and are written in
place, as natively, which its interface for JavaScript does not offer: that would copy them in and out for every id, 38 MB
each way at small's shape. So the module's own functions are called; `documented` is the interface, copies and all. */
import { decoding } from './peer.mjs';
import * as ort from '/bench/browser/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs';
const folder = '/bench/browser/node_modules/onnxruntime-web/dist';
const FLOAT = 1, INT32 = 6, INT64 = 7, IN_CPU_MEMORY = 1; // as OrtCreateTensor counts

export default async function load({ model, ids, threads, variant, documented, version, shape }) {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = {
    mjs: `${location.origin}/bench/browser/onnxruntime_module.mjs`,
    wasm: `${location.origin}${folder}/ort-wasm-simd-threaded.wasm`,
  };
  const file = new Uint8Array(await (await fetch(model)).arrayBuffer());
  const session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
  if (ort.env.wasm.numThreads !== threads) throw new Error(`it has ${ort.env.wasm.numThreads} threads`);
  const reader = documented ? copying(session, shape) : inPlace(session, shape);
  return decoding({ name: `onnxruntime-web ${version} ${variant}${documented ? ', documented interface' : ''}`, ...reader }, ids);
}

const big = (values) => BigInt64Array.from(values, BigInt);
const range = (begin, count) => Array.from({ length: count }, (_, i) => begin + i);

function copying(session, { heads, headWidth }) {
  const caches = session.inputNames.filter((name) => name.startsWith('past'));
  const nothing = () => Object.fromEntries(caches.map((name) => [name, new ort.Tensor('float32', [], [1, heads, 0, headWidth])]));
  const after = new Map(); // so many ids: their keys and values
  let kept, logits;
  return {
    async read(ids, begin) {
      const end = begin + ids.length;
      const out = await session.run({
        ids: new ort.Tensor('int64', big(ids), [1, ids.length]),
        positions: new ort.Tensor('int64', big(range(begin, ids.length)), [1, ids.length]),
        last: new ort.Tensor('int32', [end - 1], [1]),
        total: new ort.Tensor('int32', [end], []),
        ...after.get(begin),
      });
      logits = out.logits.data;
      after.set(end, Object.fromEntries(caches.map((name) => [name, out[name.replace('past', 'present')]])));
      if (begin !== kept) after.delete(begin);
    },
    rewind(begin) {
      if (begin === 0) after.clear(), after.set(0, nothing());
      kept = begin;
    },
    last: () => logits,
  };
}

function inPlace(session, { heads, headWidth, context, vocabulary }) {
  const wasm = globalThis.onnxruntimeModule;
  const handle = session.handler.sessionId;
  const put = (Array, address, values) => new Array(wasm.HEAPU8.buffer, address, values.length).set(values);
  const room = (bytes) => {
    const address = wasm._malloc(bytes);
    wasm.HEAPU8.fill(0, address, address + bytes);
    return address;
  };
  const tensor = (type, address, bytes, dims) => {
    const stack = wasm.stackSave();
    const at = wasm.stackAlloc(4 * Math.max(1, dims.length));
    put(Int32Array, at, dims);
    const made = wasm._OrtCreateTensor(type, address, bytes, at, dims.length, IN_CPU_MEMORY);
    wasm.stackRestore(stack);
    if (made === 0) throw new Error('no tensor');
    return made;
  };
  const text = (name) => {
    const bytes = new TextEncoder().encode(`${name}\0`);
    const address = wasm._malloc(bytes.length);
    put(Uint8Array, address, bytes);
    return address;
  };
  const list = (addresses) => {
    const at = wasm._malloc(4 * addresses.length);
    put(Int32Array, at, addresses);
    return at;
  };

  const data = { ids: room(8 * context), positions: room(8 * context), last: room(4), total: room(4), logits: room(4 * vocabulary) };
  const fixed = {
    last: tensor(INT32, data.last, 4, [1]),
    total: tensor(INT32, data.total, 4, []),
    logits: tensor(FLOAT, data.logits, 4 * vocabulary, [1, 1, vocabulary]),
  };
  const bytes = 4 * heads * context * headWidth;
  for (const name of session.inputNames.filter((name) => name.startsWith('past')))
    fixed[name] = fixed[name.replace('past', 'present')] = tensor(FLOAT, room(bytes), bytes, [1, heads, context, headWidth]);
  const inputNames = list(session.inputNames.map(text)), outputNames = list(session.outputNames.map(text));
  const outputs = session.outputNames.map((name) => fixed[name]);
  const inputsAt = list(session.inputNames), outputsAt = list(outputs);

  return {
    async read(ids, begin) {
      put(BigInt64Array, data.ids, big(ids));
      put(BigInt64Array, data.positions, big(range(begin, ids.length)));
      put(Int32Array, data.last, [begin + ids.length - 1]);
      put(Int32Array, data.total, [begin + ids.length]);
      const made = {
        ids: tensor(INT64, data.ids, 8 * ids.length, [1, ids.length]),
        positions: tensor(INT64, data.positions, 8 * ids.length, [1, ids.length]),
      };
      put(Int32Array, inputsAt, session.inputNames.map((name) => made[name] ?? fixed[name]));
      put(Int32Array, outputsAt, outputs);
      const failed = await wasm._OrtRun(handle, inputNames, inputsAt, session.inputNames.length, outputNames, outputs.length, outputsAt, 0);
      for (const each of Object.values(made)) wasm._OrtReleaseTensor(each);
      if (failed !== 0) throw new Error('onnxruntime-web does not run the graph');
    },
    rewind() {},
    last: () => new Float32Array(wasm.HEAPU8.buffer, data.logits, vocabulary),
  };
}
