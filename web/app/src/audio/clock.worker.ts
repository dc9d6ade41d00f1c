// A clock that goes on in a hidden tab, where the page's own timers are slowed to one a second or less.
const PERIOD_MS = 25;

setInterval(() => postMessage(null), PERIOD_MS);
