// What went wrong in one line, and what to do about it.
import type { EngineErrorData } from 'midinfinite';

export interface Failure {
  what: string;
  advice: string;
}

const ADVICE: Partial<Record<EngineErrorData['code'], string>> = {
  'i/o': 'Check the connection, then try again: the download goes on where it stopped.',
  'not found': 'Try again later, or tell whoever runs this site.',
  corrupt: 'The file is damaged. Try again to fetch it anew.',
  unsupported: 'Use a current Chrome, Edge, Firefox or Safari.',
  'out of memory': 'Close other tabs, then try again.',
  internal: 'Reload the page. Your music is kept.',
};

export function describeFailure(error: unknown, doing: string): Failure {
  const { code, message } = error as Partial<EngineErrorData>;
  // The engine says what to do, for programs; the page has its own words for it.
  const what = (message ?? String(error)).replace(/: (try|check|close|reload) [^:]*$/, '');
  return {
    what: `${doing}: ${what}`,
    advice: (code !== undefined ? ADVICE[code] : undefined) ?? 'Try again; if it stays, reload the page.',
  };
}
