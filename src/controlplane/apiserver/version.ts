/** The Kubernetes release whose API is served: what `kubectl version` shows and clients adapt to. */
export const VERSION = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0+podwire',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'node',
  platform: 'linux/amd64',
} as const;
