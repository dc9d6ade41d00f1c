// Keeps the screen on while music plays; a page that was hidden must ask again.
let wanted = false;
let held: WakeLockSentinel | undefined;

document.addEventListener('visibilitychange', () => void follow());

export function keepAwake(on: boolean): void {
  wanted = on;
  void follow();
}

async function follow(): Promise<void> {
  if (!('wakeLock' in navigator)) return;
  try {
    if (wanted && !document.hidden && (held === undefined || held.released)) held = await navigator.wakeLock.request('screen');
    else if (!wanted) await held?.release();
  } catch {
    // Refused, as on a low battery: the music plays on.
  }
}
