import type { Pod } from '../api/types/core.ts';
import type { ObjectFeed } from './object-feed.ts';

/** Who has an address, `NAMESPACE/NAME`: for traces, so it may take its time. */
export function podOf(
  pods: Pick<ObjectFeed<Pod>, 'list'>,
): (address: string) => string | undefined {
  return (address) => {
    const pod = pods
      .list()
      .find(({ status, spec }) => status?.podIP === address && spec.hostNetwork !== true);
    return pod === undefined ? undefined : `${pod.metadata.namespace}/${pod.metadata.name}`;
  };
}
