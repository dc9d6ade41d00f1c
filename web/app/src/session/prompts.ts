// The pieces that come with the app, to go on from. Where each is from: tests/data/midi/README.md of the repository.
export interface BundledPrompt {
  title: string;
  file: string;
  source: string;
  link: string;
  licence: string;
}

export const BUNDLED_PROMPTS: BundledPrompt[] = [
  {
    title: 'Strawberry', file: 'strawberry', source: 'anticipation',
    link: 'https://github.com/jthickstun/anticipation', licence: 'Apache-2.0',
  },
  { title: 'Pop song 1', file: 'pop909-001', source: 'POP909', link: 'https://github.com/music-x-lab/POP909-Dataset', licence: 'MIT' },
  { title: 'Pop song 228', file: 'pop909-228', source: 'POP909', link: 'https://github.com/music-x-lab/POP909-Dataset', licence: 'MIT' },
  {
    title: 'String quartet 1', file: 'openscore-1db71ec59cd8a72559f8a87c3746d32b5f3b84ea', source: 'OpenScore',
    link: 'https://openscore.cc', licence: 'CC0-1.0',
  },
  {
    title: 'String quartet 2', file: 'openscore-4e490e1520050c2691b357b9c002c8780d751920', source: 'OpenScore',
    link: 'https://openscore.cc', licence: 'CC0-1.0',
  },
  { title: 'Game level', file: 'freedoom-d_map02', source: 'Freedoom', link: 'https://freedoom.github.io', licence: 'BSD-3-Clause' },
];

export async function fetchPrompt(prompt: BundledPrompt): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(new URL(`prompts/${prompt.file}.mid`, document.baseURI));
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
