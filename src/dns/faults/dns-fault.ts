/** What goes wrong. */
export type FaultAction =
  | { readonly kind: 'drop' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'rcode'; readonly rcode: number }
  /** NOERROR without records: what a resolver takes for "no such data". */
  | { readonly kind: 'empty' }
  | { readonly kind: 'truncate' }
  /** As before the Kubernetes API has been read: what would be NXDOMAIN is SERVFAIL. */
  | { readonly kind: 'unsynced' }
  /** The first answer to each question is given for ever, whatever changes. */
  | { readonly kind: 'stale' }
  /** What `forward` gets instead of a reply; caches, retries and logs do what they do then. */
  | { readonly kind: 'upstream'; readonly failure: UpstreamFailure };

/** A response code, or silence. */
export type UpstreamFailure = number | 'timeout';

/** A fault and the queries it befalls; all conditions must hold. */
export interface DnsFault {
  readonly action: FaultAction;
  /** This name and everything below it. Default: every name. */
  readonly name?: string;
  readonly type?: number;
  /** An address or a CIDR. Default: everybody. */
  readonly client?: string;
  /** Which part of the matching queries, by chance. Default 1. */
  readonly fraction?: number;
  /** Befalls this many queries, then goes away. Default: no end. */
  readonly count?: number;
}

/** Who asks what. */
export interface AskedQuestion {
  readonly name: string;
  readonly type: number;
  /** An address. */
  readonly client: string;
}
