export function serveRendering(): void {}
