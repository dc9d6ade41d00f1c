// Keeps the app for the next visit. This one goes on as it is: nothing is loaded anew by itself.
export function keepApp(): void {
  if (import.meta.env.DEV || !('serviceWorker' in navigator)) return;
  const worker = new URL('service-worker.js', document.baseURI);
  navigator.serviceWorker.register(worker, { updateViaCache: 'none' }).catch(() => {
    // Refused, as in some private windows: the app then needs its host at each visit.
  });
}
