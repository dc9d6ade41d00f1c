// What went wrong in one line, and what to do about it.
import type { EngineErrorData } from 'midinfinite';

export interface Failure {
  what: string;
  advice: string;
}

export type Advice = Partial<Record<EngineErrorData['code'], string>>;

const ADVICE: Advice = {
  'i/o': 'Check the connection, then try again: the download goes on where it stopped.',
  'not found': 'Try again later, or tell whoever runs this site.',
  corrupt: 'The file is damaged. Try again to fetch it anew.',
  unsupported: 'Update this browser, or use a current Chrome or Firefox.',
  'out of memory': 'Close other tabs, then try again.',
  internal: 'Reload the page. Your music is kept.',
};

/** `advice`: where it differs from what is usual. */
export function describeFailure(error: unknown, doing: string, advice: Advice = {}): Failure {
  const { code, message } = error as Partial<EngineErrorData>;
  // The engine says what to do, for programs; the page has its own words for it.
  const what = (message ?? String(error)).replace(/: (try|check|close|reload) [^:]*$/, '');
  return {
    what: `${doing}: ${what}`,
    advice: (code !== undefined ? { ...ADVICE, ...advice }[code] : undefined) ?? 'Try again; if it stays, reload the page.',
  };
}
