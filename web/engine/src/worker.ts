// The engine's worker.
import { Host } from './host.ts';
import type { ToWorker } from './messages.ts';

const host = new Host((message, transfer = []) => postMessage(message, { transfer }));
onmessage = ({ data }: MessageEvent<ToWorker>) => host.receive(data);
