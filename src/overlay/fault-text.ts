// Link faults as people write them: the options of tc-netem where it has them.
import type { LinkFaults } from './link-faults.ts';

/** Options of a command line, without their dashes. */
export type FaultOptions = Readonly<Record<string, string | boolean | undefined>>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface FaultOption {
  readonly type: 'string' | 'boolean';
  /** What is behind the option: `2%`. */
  readonly example: string;
  /** Throws a RangeError without the option's name. */
  read(text: string, into: Mutable<LinkFaults>): void;
  /** Undefined where the fault is absent. */
  write(faults: LinkFaults): string | undefined;
}

/** Every fault there is, by its option. */
export const FAULT_OPTIONS: Readonly<Record<string, FaultOption>> = {
  loss: fraction('lossFraction'),
  delay: amount('delayMs'),
  jitter: amount('jitterMs'),
  reorder: fraction('reorderFraction'),
  'reorder-delay': amount('reorderDelayMs'),
  duplicate: fraction('duplicateFraction'),
  corrupt: fraction('corruptFraction'),
  rate: {
    type: 'string',
    example: '10mbit',
    read: (text, into) => {
      into.rateBitsPerSecond = parseRate(text);
    },
    write: ({ rateBitsPerSecond: rate }) => (rate === undefined ? undefined : formatRate(rate)),
  },
  queue: number('queueBytes', '262144'),
  partition: flag('isPartitioned'),
  'black-hole-mtu': number('blackHoleMtuBytes', '1400'),
  'block-udp-port': {
    type: 'string',
    example: '8472,53',
    read: (text, into) => {
      into.blockedUdpPorts = text.split(',').map(Number);
    },
    write: ({ blockedUdpPorts: ports }) => ports?.join(','),
  },
  'partial-checksums': flag('leavesChecksumsPartial'),
};

/** Throws a RangeError that names the option. */
export function parseFaults(options: FaultOptions): LinkFaults {
  const faults: Mutable<LinkFaults> = {};
  for (const [name, option] of Object.entries(FAULT_OPTIONS)) {
    const value = options[name];
    if (value === undefined || value === false) continue;
    try {
      option.read(String(value), faults);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new RangeError(`--${name} "${value}" ${error.message}`, { cause: error });
    }
  }
  return faults;
}

/** `loss 2% delay 10ms`, as {@link parseFaults} takes it with dashes before the names. */
export function formatFaults(faults: LinkFaults): string {
  return Object.entries(FAULT_OPTIONS)
    .flatMap(([name, option]) => {
      const text = option.write(faults);
      if (text === undefined) return [];
      return [option.type === 'boolean' ? name : `${name} ${text}`];
    })
    .join(' ');
}

type KeyOf<T> = {
  [K in keyof LinkFaults]-?: NonNullable<LinkFaults[K]> extends T ? K : never;
}[keyof LinkFaults];

function fraction(field: KeyOf<number>): FaultOption {
  return {
    type: 'string',
    example: '2%',
    read: (text, into) => {
      const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
      if (match === null || Number(match[1]) > 100)
        throw new RangeError('must be a percentage such as 2%');
      into[field] = Number(match[1]) / 100;
    },
    write: (faults) => {
      const value = faults[field];
      return value === undefined ? undefined : `${Number((value * 100).toFixed(6))}%`;
    },
  };
}

function amount(field: KeyOf<number>): FaultOption {
  return {
    type: 'string',
    example: '10ms',
    read: (text, into) => {
      const match = /^(\d+(?:\.\d+)?)(us|ms|s)$/.exec(text);
      if (match === null) throw new RangeError('must be a time such as 10ms');
      const unitMs = { us: 0.001, ms: 1, s: 1000 }[match[2] as 'us' | 'ms' | 's'];
      into[field] = Number(match[1]) * unitMs;
    },
    write: (faults) => {
      const value = faults[field];
      return value === undefined ? undefined : `${value}ms`;
    },
  };
}

function number(field: KeyOf<number>, example: string): FaultOption {
  return {
    type: 'string',
    example,
    read: (text, into) => {
      if (!/^\d+$/.test(text)) throw new RangeError(`must be a number of bytes such as ${example}`);
      into[field] = Number(text);
    },
    write: (faults) => faults[field]?.toString(),
  };
}

function flag(field: KeyOf<boolean>): FaultOption {
  return {
    type: 'boolean',
    example: '',
    read: (_, into) => {
      into[field] = true;
    },
    write: (faults) => (faults[field] === true ? '' : undefined),
  };
}

const RATE_UNITS = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 } as const;

function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(bit|kbit|mbit|gbit)$/i.exec(text);
  if (match === null) throw new RangeError('must be a rate such as 10mbit');
  const unit = RATE_UNITS[(match[2] ?? '').toLowerCase() as keyof typeof RATE_UNITS];
  return Math.round(Number(match[1]) * unit);
}

function formatRate(bitsPerSecond: number): string {
  const units = Object.entries(RATE_UNITS).toReversed();
  const [name, factor] = units.find(([, each]) => bitsPerSecond >= each) ?? ['bit', 1];
  return `${bitsPerSecond / factor}${name}`;
}
