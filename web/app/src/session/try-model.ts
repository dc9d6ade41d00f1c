// Another model, which may be anything: it must load and write music before anything is given up for it.
import { load, type Engine, type ModelSource, type Stream, type StreamOptions } from 'midinfinite';

const MOST_BYTES = 1.5e9;
const MOST_SECONDS = 30;

/** Goes on from `session` if there is one. Rejects with what is wrong with the model; nothing of it stays then. */
export async function tryModel(model: ModelSource, from: Pick<StreamOptions, 'session' | 'settings' | 'lookAhead'>): Promise<Engine> {
  if (model instanceof File && model.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES / 1e9} GB, too much for a browser`);
  const engine = await load({ model });
  try {
    const stream = await engine.createStream(from);
    await untilItWrites(stream);
    await stream.dispose();
    return engine;
  } catch (error) {
    void engine.dispose();
    throw error;
  }
}

function untilItWrites(stream: Stream): Promise<void> {
  return new Promise((writes, fails) => {
    const late = setTimeout(() => fails(new Error('it is too slow for this machine')), MOST_SECONDS * 1000);
    let first: number | undefined;
    stream.onError(fails);
    const off = stream.onUpdate(({ state }) => {
      // What is there already is known music: the new model writes beyond it.
      if (first === undefined) stream.advance((first = state.generatedTo));
      if (state.generatedTo <= first) return;
      clearTimeout(late);
      off();
      writes();
    });
  });
}
