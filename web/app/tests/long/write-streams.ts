// Runs in the page of streams.test.ts: writes streams one after the other, as fast as it goes.
import { load, type ModelInfo, type Settings } from 'midinfinite';

export interface Written {
  model: ModelInfo;
  streams: { took: number; notes: number }[];
}

/** Seconds; a listener follows the engine at half of it, as if it played as fast as it writes. */
const LOOK_AHEAD = 8;

export interface Asked {
  threads: number;
  count: number;
  seconds: number;
  settings: Partial<Settings>;
}

async function writeStreams({ threads, count, seconds, settings }: Asked): Promise<Written> {
  const model = await (await fetch('/models/mini-q8_0.gguf')).blob();
  const engine = await load({ model, threads });
  const streams: Written['streams'] = [];
  for (let seed = 1; seed <= count; ++seed) {
    const begun = performance.now();
    const stream = await engine.createStream({ settings: { ...settings, seed }, lookAhead: LOOK_AHEAD });
    let events: number[] = [];
    await new Promise<void>((written) =>
      stream.onUpdate(({ from, notes, state }) => {
        events = events.filter((event) => event < from).concat(notes.map(({ event }) => event));
        if (state.generatedTo >= seconds) written();
        else stream.advance(state.generatedTo - LOOK_AHEAD / 2);
      }),
    );
    streams.push({ took: (performance.now() - begun) / 1000, notes: events.length });
    await stream.dispose();
  }
  return { model: engine.model, streams };
}

Object.assign(window, { writeStreams });
