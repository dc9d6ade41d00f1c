// Keeps the screen on while music plays; a page that was hidden must ask again.
let wanted = false;
let held: WakeLockSentinel | undefined;
let following = false;

document.addEventListener('visibilitychange', () => void follow());

export function keepAwake(on: boolean): void {
  if (on === wanted) return;
  wanted = on;
  void follow();
}

// Asking and letting go take a moment, in which the wish may have changed.
async function follow(): Promise<void> {
  if (following || !('wakeLock' in navigator)) return;
  following = true;
  try {
    for (;;) {
      const holds = held !== undefined && !held.released;
      if (holds === (wanted && !document.hidden)) return;
      if (holds) await held!.release();
      else held = await navigator.wakeLock.request('screen');
    }
  } catch {
    // Refused, as on a low battery: the music plays on.
  } finally {
    following = false;
  }
}
