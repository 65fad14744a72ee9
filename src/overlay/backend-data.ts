import { formatMac, type MacAddress, parseMac } from '../wire/mac.ts';

/** What flannel stores as BackendData of a vxlan lease: `{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}`. */
export interface VtepData {
  readonly vni: number;
  readonly mac: MacAddress;
}

export function formatVtepData(data: VtepData | undefined): string {
  return data === undefined
    ? 'null'
    : JSON.stringify({ VNI: data.vni, VtepMAC: formatMac(data.mac) });
}

/** From text or from JSON already read. Undefined for null and for anything else that is no VTEP. */
export function parseVtepData(data: unknown): VtepData | undefined {
  if (typeof data === 'string') return parseText(data);
  if (typeof data !== 'object' || data === null) return undefined;
  // VNI is absent in leases of flannel before 0.12, which had only 1.
  const { VNI: vni = 1, VtepMAC: macText } = data as { VNI?: unknown; VtepMAC?: unknown };
  const mac = typeof macText === 'string' ? parseMac(macText) : undefined;
  if (mac === undefined || typeof vni !== 'number') return undefined;
  return { vni, mac };
}

function parseText(text: string): VtepData | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'string' ? undefined : parseVtepData(json);
  } catch {
    return undefined;
  }
}
