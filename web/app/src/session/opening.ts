// The opening under the choices as they are, written before anybody asks: it is there at the click.
import type { Engine, Settings, Stream } from 'midinfinite';

export class Opening {
  #written: { settings: string; stream: Promise<Stream> } | undefined;

  write(engine: Engine, settings: Partial<Settings>, lookAhead: number): void {
    this.drop();
    const stream = engine.createStream({ settings, lookAhead });
    stream.catch(() => {}); // whoever takes it is told
    this.#written = { settings: JSON.stringify(settings), stream };
  }

  /** The stream, if it is what would begin now. */
  take(settings: Partial<Settings>): Promise<Stream> | undefined {
    const written = this.#written;
    if (written?.settings !== JSON.stringify(settings)) return undefined;
    this.#written = undefined;
    return written.stream;
  }

  drop(): void {
    void this.#written?.stream.then((stream) => stream.dispose()).catch(() => {}); // its engine may be gone
    this.#written = undefined;
  }
}
