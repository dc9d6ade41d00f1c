// Has sound files rendered by a worker: one at a time, with its progress, until it is cancelled.
import { fetchFont } from '../audio/font.ts';
import scriptUrl from '../audio/synth.worklet.ts?worker&url';
import type { Track } from './plan.ts';
import type { RenderAnswer, RenderRequest } from './render.ts';

export interface Rendered {
  file: Blob;
  name: string;
}

export class Exporter {
  /** 0..1 while a file is made. */
  progress = $state<number | undefined>();
  #cancel: () => void = () => {};

  /** undefined: it was cancelled. */
  async render(tracks: Track[], stems: boolean, name: string): Promise<Rendered | undefined> {
    this.cancel();
    this.progress = 0;
    let worker: Worker | undefined;
    try {
      const cancelled = new Promise<undefined>((cancel) => (this.#cancel = () => cancel(undefined)));
      const font = await Promise.race([fetchFont(() => {}), cancelled]);
      if (font === undefined) return undefined;
      const started = (worker = new Worker(scriptUrl, { type: 'module', name: 'rendering' }));
      const done = new Promise<Rendered>((rendered, failed) => {
        started.onmessage = ({ data }: MessageEvent<RenderAnswer>) => {
          if ('progress' in data) this.progress = data.progress;
          else if ('error' in data) failed(new Error(data.error));
          else rendered(data);
        };
        started.onerror = (event) => failed(new Error(event.message || 'the renderer could not be started'));
        started.postMessage({ font, tracks, stems, name } satisfies RenderRequest, [font]);
      });
      return await Promise.race([done, cancelled]);
    } finally {
      worker?.terminate();
      this.progress = undefined;
    }
  }

  cancel(): void {
    this.#cancel();
  }
}
