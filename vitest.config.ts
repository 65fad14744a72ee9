import { defineConfig, type ViteUserConfig } from 'vitest/config';

const setupFiles = ['test/setup/leaks.ts'];

// Real sockets on fixed addresses, child processes and namespaces live in test/e2e, one file at a time;
// the other tests run on a ManualClock or on port 0.
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          setupFiles,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'e2e',
          globalSetup: ['test/e2e/support/build.ts'],
          include: ['test/e2e/**/*.test.ts'],
          setupFiles,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});

export default config;
