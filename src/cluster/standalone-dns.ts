/** The DNS server without a cluster, for the command line. */
export {
  StandaloneDns,
  type ListenAddress,
} from '../node/standalone-dns.ts';
