import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['tests/long/*.test.ts'], environment: 'node', fileParallelism: false, testTimeout: 0, hookTimeout: 120_000, reporters: 'verbose' },
});
