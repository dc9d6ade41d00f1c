// The builds as files, each an address that bundlers understand, from src as from dist; and how one is started.
import type { Build, Core } from './core.ts';
import { StoreError } from './model_store.ts';

const FILES: Record<Build, [program: URL, code: URL]> = {
  'relaxed-threads': [
    new URL('../dist/wasm/midinfinite-relaxed-threads.mjs', import.meta.url),
    new URL('../dist/wasm/midinfinite-relaxed-threads.wasm', import.meta.url),
  ],
  'simd-threads': [
    new URL('../dist/wasm/midinfinite-simd-threads.mjs', import.meta.url),
    new URL('../dist/wasm/midinfinite-simd-threads.wasm', import.meta.url),
  ],
  relaxed: [
    new URL('../dist/wasm/midinfinite-relaxed.mjs', import.meta.url),
    new URL('../dist/wasm/midinfinite-relaxed.wasm', import.meta.url),
  ],
  simd: [
    new URL('../dist/wasm/midinfinite-simd.mjs', import.meta.url),
    new URL('../dist/wasm/midinfinite-simd.wasm', import.meta.url),
  ],
};

type Factory = (options: { locateFile(): string; mainScriptUrlOrBlob: string }) => Promise<Core>;

export async function start(build: Build): Promise<Core> {
  const [program, code] = FILES[build];
  try {
    const { default: factory } = (await import(/* @vite-ignore */ program.href)) as { default: Factory };
    return await factory({ locateFile: () => code.href, mainScriptUrlOrBlob: program.href });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new StoreError('i/o', 'the engine could not be fetched or started: check the connection and try again');
  }
}
