import { netTransport } from '../../../src/proxy/engine/net-transport.ts';
import { StreamEngine } from '../../../src/proxy/engine/stream-engine.ts';
import { engineConformance } from '../../conformance/engine.ts';

engineConformance('net', (options) => new StreamEngine({ transport: netTransport, ...options }));
