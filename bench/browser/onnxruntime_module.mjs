// onnxruntime-web's WebAssembly module, left where onnxruntime.mjs finds it.
import factory from '/bench/browser/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.mjs';

export default async (options) => (globalThis.onnxruntimeModule = await factory(options));
