// What the app cannot do without, asked before anything is fetched.
import type { Failure } from './failure.ts';

export function whatIsMissing(): Failure | undefined {
  if (!isSecureContext) {
    return { what: 'Browsers allow neither this sound nor this storage on a page without https', advice: 'Open the address with https, or on this machine as localhost.' };
  }
  if (typeof WebAssembly === 'undefined') {
    return { what: 'WebAssembly is off in this browser, and the engine is made of it', advice: 'Switch it on (a lockdown mode or a policy may forbid it), or use another browser.' };
  }
  if (typeof AudioWorkletNode === 'undefined') {
    return { what: 'This browser is too old for the synthesizer', advice: 'Update it, or use a current Chrome or Firefox.' };
  }
  return undefined;
}
