import type { Stack } from '../netstack/stack.ts';
import type { NetInterface } from '../netstack/ip/net-interface.ts';
import type { NeighbourEntry, RouteEntry } from './forwarding-entries.ts';
import type { OverlayChanges } from './overlay-tables.ts';

/**
 * Puts what a reconcile changed into a stack. IPv4 only, as the stack is. Routes over interfaces that the stack does
 * not have (a node's own bridge) are not its business.
 */
export function applyToStack(
  stack: Stack,
  interfaces: ReadonlyMap<string, NetInterface>,
  changes: OverlayChanges,
): void {
  for (const route of changes.routes.removed) removeRoute(stack, route);
  for (const neighbour of changes.neighbours.removed) removeNeighbour(stack, interfaces, neighbour);
  for (const neighbour of [...changes.neighbours.added, ...changes.neighbours.replaced])
    addNeighbour(stack, interfaces, neighbour);
  for (const route of [...changes.routes.added, ...changes.routes.replaced])
    addRoute(stack, interfaces, route);
}

function addRoute(
  stack: Stack,
  interfaces: ReadonlyMap<string, NetInterface>,
  route: RouteEntry,
): void {
  const { destination, via, owner } = route;
  const netInterface = interfaces.get(route.device);
  if (destination.family !== 'IPv4') return;
  if (netInterface === undefined) stack.fib.remove(destination);
  else
    stack.fib.replace({
      destination,
      netInterface,
      owner,
      ...(via?.family === 'IPv4' ? { gateway: via.value } : {}),
    });
}

function removeRoute(stack: Stack, { destination }: RouteEntry): void {
  if (destination.family === 'IPv4') stack.fib.remove(destination);
}

function addNeighbour(
  stack: Stack,
  interfaces: ReadonlyMap<string, NetInterface>,
  { address, device, mac, owner }: NeighbourEntry,
): void {
  const netInterface = interfaces.get(device);
  if (address.family === 'IPv4' && netInterface !== undefined)
    stack.neighbours.setPermanent(netInterface, address.value, mac, { owner });
}

function removeNeighbour(
  stack: Stack,
  interfaces: ReadonlyMap<string, NetInterface>,
  { address, device }: NeighbourEntry,
): void {
  const netInterface = interfaces.get(device);
  if (address.family === 'IPv4' && netInterface !== undefined)
    stack.neighbours.remove(netInterface, address.value);
}
