// The engine in the thread that calls: for a worker of one's own, or a page that need not stay smooth. The same interface.
import { connect } from './engine.ts';
import { Host } from './host.ts';
import type { ToWorker } from './messages.ts';
import type { Engine, LoadOptions } from './types.ts';

export { EngineError } from './engine.ts';
export type * from './types.ts';

/** Loads a model into this thread. Rejects with an EngineError. */
export function load(options: LoadOptions): Promise<Engine> {
  // What is said is copied, and comes later, as to a worker.
  const { port1, port2 } = new MessageChannel();
  const host = new Host((message, transfer = []) => port1.postMessage(message, transfer));
  port1.onmessage = ({ data }: MessageEvent<ToWorker>) => host.receive(data);
  const close = () => {
    port1.close();
    host.dispose();
  };
  return connect(port2, close, options);
}
