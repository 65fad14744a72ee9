// The trace format of test/vectors/ipvs/README.md, as far as a replay looks at it.
import { readFileSync } from 'node:fs';
import { unknownFields } from './trace-fields.ts';

/** `[destination, weight, ActiveConn, InActConn]` */
export type DestRow = readonly [string, number, number, number];
/** By service where there are several. */
export type DestLists = readonly DestRow[] | Readonly<Record<string, readonly DestRow[]>>;

export interface TraceDest {
  readonly dest: string;
  readonly weight?: number;
  readonly u_threshold?: number;
  readonly l_threshold?: number;
}

export interface TraceService {
  /** Initial destinations, in the order they were added. */
  readonly dests?: readonly TraceDest[] | undefined;
  readonly addr?: string | undefined;
  readonly fwmark?: number | undefined;
  readonly protocol?: string | undefined;
  readonly scheduler?: string;
  /** Of several in one text, as ipvsadm's `-b` takes them, too. */
  readonly flags?: readonly string[] | string | undefined;
  readonly persistent?: number | undefined;
  /** IPv4: dotted mask or prefix length; IPv6: prefix length. */
  readonly netmask?: string | number | undefined;
  readonly ops?: boolean | undefined;
}

export interface ConntabRow {
  readonly proto: string;
  readonly c: string;
  readonly v: string;
  readonly d: string;
  readonly state: string;
  readonly expires: number;
}

/** One event; which fields it has depends on `op`. */
export interface TraceEvent extends Omit<TraceService, 'dests'> {
  readonly op: string;
  readonly conn?: string;
  readonly src?: string;
  /** `director`: a client on the director itself. */
  readonly from?: string;
  readonly dst?: string;
  readonly result?: string | null | readonly ConntabRow[];
  readonly error?: string;
  readonly entry?: { readonly dest: string; readonly state: string };
  readonly reply_from?: string;
  readonly client_gave_up_after_s?: number;
  readonly how?: string;
  readonly state?: string | null;
  readonly dest?: string;
  readonly weight?: number;
  readonly u_threshold?: number;
  readonly l_threshold?: number;
  readonly service?: string | TraceService;
  readonly seconds?: number;
  readonly tcp?: number;
  readonly tcpfin?: number;
  readonly udp?: number;
  /** The state after the event. */
  readonly dests?: DestLists;
}

export interface Trace {
  readonly id: string;
  readonly scheduler: string;
  readonly flags?: readonly string[] | string;
  readonly protocol?: string;
  readonly service: TraceService;
  readonly dests?: readonly TraceDest[];
  readonly more_services?: readonly TraceService[];
  readonly sysctls?: Readonly<Record<string, number>>;
  readonly environment?: {
    readonly blackhole?: readonly string[];
    readonly closed_ports?: readonly string[];
  };
  readonly list_after_setup?: DestLists;
  readonly events: readonly TraceEvent[];
  readonly kernels?: Readonly<Record<string, unknown>>;
  readonly valid_for_kernels?: readonly string[];
  readonly other_kernels?: readonly {
    readonly kernels: readonly string[];
    readonly events: readonly TraceEvent[];
  }[];
  readonly random?: boolean;
}

/** Throws when the file is no trace, saying what is missing, or has something that a replay would leave out. */
export function readTrace(path: string): Trace {
  const trace = JSON.parse(readFileSync(path, 'utf8')) as Partial<Trace>;
  if (trace.service === undefined) throw new Error(`${path}: no "service"`);
  if (typeof trace.scheduler !== 'string') throw new Error(`${path}: no "scheduler"`);
  if (!Array.isArray(trace.events)) throw new Error(`${path}: no "events"`);
  const complete = { id: path, ...trace } as Trace;
  const unknown = unknownFields(complete);
  if (unknown.length > 0) throw new Error(`${path}: ${unknown.join('; ')}`);
  return complete;
}
