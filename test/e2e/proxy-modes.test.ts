import { proxyConformance } from '../conformance/proxy.ts';

proxyConformance('iptables', {
  relays: false,
  localhostNodePorts: true,
  withoutLocal: 'silence',
});
proxyConformance('nftables', {
  relays: false,
  localhostNodePorts: false,
  withoutLocal: 'silence',
});
proxyConformance('ipvs', {
  relays: false,
  localhostNodePorts: false,
  withoutLocal: 'ECONNRESET',
});
proxyConformance('userspace', {
  relays: true,
  localhostNodePorts: true,
  withoutLocal: '127.244.200.10',
});
