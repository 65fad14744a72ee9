import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { parseCidr } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { seededRandom } from '../../src/base/random.ts';
import { ControlPlane } from '../../src/controlplane/control-plane.ts';
import { openStore } from '../../src/controlplane/store/open-store.ts';
import { manyServices } from './services.ts';

export interface StoredSize {
  readonly objects: number;
  /** Of the heap, with everything that controllers and caches keep of it; undefined without --expose-gc. */
  readonly heapBytesEach: number | undefined;
  readonly diskBytesEach: number;
}

/** Writes the benchmark's objects into a control plane of this process, with a data directory. */
export async function storedSize(): Promise<StoredSize> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-size-'));
  const serviceCidr = parseCidr('127.196.0.0/16');
  if (serviceCidr === undefined) throw new Error('bad CIDR');
  try {
    await using plane = await ControlPlane.start({
      clock: systemClock,
      random: seededRandom('size'),
      logger: silentLogger,
      metrics: createMetrics(),
      config: { serviceCidr },
      store: await openStore(
        { kind: 'log', dataDirectory: folder, sync: 'never' },
        { clock: systemClock, logger: silentLogger },
      ),
    });
    const store = join(folder, 'store');
    const [heapBefore, diskBefore] = [heapBytes(), bytesIn(store)];
    const objects = manyServices();
    for (const { path, object } of objects)
      await plane.registry
        .resource(path.endsWith('services') ? 'services' : 'endpointslices')
        .create({ ...object, metadata: { ...metadataOf(object), namespace: 'default' } });
    const heapAfter = heapBytes();
    return {
      objects: objects.length,
      heapBytesEach:
        heapBefore === undefined || heapAfter === undefined
          ? undefined
          : (heapAfter - heapBefore) / objects.length,
      diskBytesEach: (bytesIn(store) - diskBefore) / objects.length,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function metadataOf(object: object): object {
  return 'metadata' in object && typeof object.metadata === 'object' ? { ...object.metadata } : {};
}

function heapBytes(): number | undefined {
  const { gc } = globalThis;
  if (gc === undefined) return undefined;
  // What only finalizers held goes with the second.
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

function bytesIn(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
