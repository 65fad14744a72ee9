import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Against hanging only: nothing that passes takes so long, however busy the machine is. */
const GUARDS = { testTimeout: 180_000, hookTimeout: 180_000 } as const;

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
          ...GUARDS,
        },
      },
      {
        test: {
          name: 'e2e',
          globalSetup: ['test/e2e/support/build.ts'],
          include: ['test/e2e/**/*.test.ts'],
          setupFiles,
          fileParallelism: false,
          ...GUARDS,
        },
      },
    ],
  },
});

export default config;
