// Small things that outlast the page. A browser that may store nothing forgets them, and everything else works.
type Where = 'localStorage' | 'sessionStorage';

export function recall(key: string, where: Where = 'localStorage'): string | null {
  try {
    return window[where].getItem(key);
  } catch {
    return null;
  }
}

/** null: it is forgotten. */
export function remember(key: string, value: string | null, where: Where = 'localStorage'): void {
  try {
    if (value === null) window[where].removeItem(key);
    else window[where].setItem(key, value);
  } catch {
    // Full or forbidden.
  }
}
