import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/errors.ts';
import { formatIp, type IpAddress, parseIp } from '../base/ip.ts';
import type { LeaseStore, PodLease, PodOwner } from '../ipam/lease-store.ts';

const LAST_RESERVED = /^last_reserved_ip\.(\d+)$/;
const UNFINISHED = '.unfinished-';

/**
 * Pod leases in the files of CNI's host-local plugin, so that its tooling can read them: one file an address, named
 * after it, with the container id and the interface name; `last_reserved_ip.N` for each range set.
 *
 * Killing the process at any moment loses no lease that was answered and leaves no half-written file: contents are
 * written beside, then linked to the address's name, which fails where the name exists. Nothing is forced to disk,
 * because leases mean nothing after a reboot: their pods are gone, and the allocator's gc releases them. Files that
 * another program left empty or garbled load as leases of a nameless owner, for gc to release.
 *
 * Errors of the file system (no permission, disk full) are thrown as Node has them.
 */
export class IpamFileStore implements LeaseStore {
  readonly #folder: string;

  /** `folder`: one network's, for example /var/lib/cni/networks/cbr0. Made if missing. */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }

  load(): { leases: PodLease[]; lastReserved: Map<number, IpAddress> } {
    const leases: PodLease[] = [];
    const lastReserved = new Map<number, IpAddress>();
    for (const name of readdirSync(this.#folder)) {
      if (name.startsWith(UNFINISHED)) rmSync(join(this.#folder, name), { force: true });
      const address = parseIp(name);
      if (address !== undefined) leases.push({ address, owner: parseOwner(this.#read(name)) });
      const setIndex = LAST_RESERVED.exec(name)?.[1];
      const last = setIndex === undefined ? undefined : parseIp(this.#read(name).trim());
      if (last !== undefined) lastReserved.set(Number(setIndex), last);
    }
    return { leases, lastReserved };
  }

  reserve(lease: PodLease): boolean {
    const unfinished = this.#write(formatIp(lease.address), formatOwner(lease.owner));
    try {
      linkSync(unfinished, this.#path(lease.address));
      return true;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      unlinkSync(unfinished);
    }
  }

  setLastReserved(setIndex: number, address: IpAddress): void {
    const name = `last_reserved_ip.${setIndex}`;
    renameSync(this.#write(name, formatIp(address)), join(this.#folder, name));
  }

  release(address: IpAddress): void {
    rmSync(this.#path(address), { force: true });
  }

  #write(name: string, content: string): string {
    const path = join(this.#folder, UNFINISHED + name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  #read(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8');
  }

  #path(address: IpAddress): string {
    return join(this.#folder, formatIp(address));
  }
}

/** host-local's own line end, also on Unix. */
function formatOwner(owner: PodOwner): string {
  return `${owner.containerId}\r\n${owner.ifName}`;
}

/** The form before host-local 0.8 has no interface name. */
function parseOwner(content: string): PodOwner {
  const [containerId = '', ifName = ''] = content.trim().split(/\r?\n/);
  return { containerId, ifName };
}
