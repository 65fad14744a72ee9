import type { KubeObject } from '../../api/types/meta.ts';
import type { Client, ResourceClient, ResourceName } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { KINDS } from '../../api/kinds.ts';
import type { Informers } from '../client/informers.ts';

/** Every resource a client knows, for controllers that work on all of them. */
export const RESOURCES: readonly ResourceName[] = KINDS.map(
  ({ resource }) => resource as ResourceName,
);

/** A resource chosen at run time: its objects have what all have. */
export function anyResource(client: Client, resource: ResourceName): ResourceClient<KubeObject> {
  return client.resource(resource);
}

export function anyInformer(informers: Informers, resource: ResourceName): Informer<KubeObject> {
  return informers.of(resource);
}
