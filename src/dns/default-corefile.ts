/**
 * The Corefile kubeadm installs. `upstream` is where names outside the cluster go; without one they are
 * not resolved.
 */
export function defaultCorefile(options: {
  readonly domain: string;
  readonly upstream?: string;
}): string {
  const { domain, upstream } = options;
  const forward =
    upstream === undefined
      ? []
      : [`    forward . ${upstream} {`, '       max_concurrent 1000', '    }'];
  return [
    '.:53 {',
    '    errors',
    '    health {',
    '       lameduck 5s',
    '    }',
    '    ready',
    `    kubernetes ${domain} in-addr.arpa ip6.arpa {`,
    '       pods insecure',
    '       fallthrough in-addr.arpa ip6.arpa',
    '       ttl 30',
    '    }',
    '    prometheus :9153',
    ...forward,
    '    cache 30 {',
    `       disable success ${domain}`,
    `       disable denial ${domain}`,
    '    }',
    // Only what is forwarded can come back.
    ...(upstream === undefined ? [] : ['    loop']),
    '    reload',
    '    loadbalance',
    '}',
    '',
  ].join('\n');
}

/** The same names for programs outside the cluster: no pod looks after it, so it has no endpoints for probes. */
export function hostCorefile({ domain, upstream }: { domain: string; upstream: string }): string {
  return [
    '.:53 {',
    '    errors',
    `    kubernetes ${domain} in-addr.arpa ip6.arpa {`,
    '       pods insecure',
    ...(upstream === '' ? [] : ['       fallthrough in-addr.arpa ip6.arpa']),
    '       ttl 30',
    '    }',
    ...(upstream === '' ? [] : [`    forward . ${upstream}`]),
    '    loadbalance',
    '}',
    '',
  ].join('\n');
}
