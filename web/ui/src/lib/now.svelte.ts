// The present, renewed every ten seconds, so that relative times on the screen stay true.
export const tick = $state({ now_ms: Date.now() });

setInterval(() => {
  tick.now_ms = Date.now();
}, 10_000);
