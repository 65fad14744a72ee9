import type { DnsRequest, Plugin } from '../../plugin/plugin.ts';
import { integerArgument, once, type PluginModule } from '../../plugin/setup.ts';

/** A size that does not fragment on usual links (DNS Flag Day 2020). */
const DEFAULT_BYTES = 1232;

export const bufsize: PluginModule = {
  name: 'bufsize',
  setup(directives) {
    const [size] = once(directives).args;
    const maxBytes =
      size === undefined
        ? DEFAULT_BYTES
        : integerArgument(size, 'bufsize', { min: 512, max: 4096 });
    const plugin: Plugin = {
      name: 'bufsize',
      declaresReuse: true,
      serve: (request, next) => next(withLimit(request, maxBytes)),
    };
    return { plugin };
  },
};

/** Lowers the size the client advertised, for what follows and for the reply. */
function withLimit(request: DnsRequest, maxBytes: number): DnsRequest {
  const { edns } = request.message;
  if (edns === undefined || edns.udpBytes <= maxBytes) return request;
  request.limits.udpBytes = maxBytes;
  return { ...request, message: { ...request.message, edns: { ...edns, udpBytes: maxBytes } } };
}
