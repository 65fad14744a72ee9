import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import {
  durationArgument,
  expectThat,
  integerArgument,
  unknownOption,
  zoneArguments,
} from '../../plugin/setup.ts';

/** One of the two caches: positive replies or denials. */
export interface CacheClassOptions {
  readonly capacity: number;
  readonly maxSeconds: number;
  readonly minSeconds: number;
  /** Folded zones that are not kept. */
  readonly disabledZones: readonly string[];
}

export interface CacheOptions {
  readonly zones: readonly string[];
  readonly success: CacheClassOptions;
  readonly denial: CacheClassOptions;
  readonly servfailMs: number;
  readonly prefetch?: {
    readonly hits: number;
    readonly gapMs: number;
    readonly percentage: number;
  };
  readonly serveStale?: {
    readonly upToMs: number;
    readonly verify: boolean;
    /** How long a verification may take before the stale answer goes out. */
    readonly verifyTimeoutMs: number;
    readonly ttlSeconds: number;
    /** After a fetch that brought nothing, stale answers go out this long without another. */
    readonly recheckMs: number;
  };
  readonly keepTtl: boolean;
}

/** 256 shards of 39 entries in CoreDNS. */
const DEFAULT_CAPACITY = 9984;
const MAX_POSITIVE_SECONDS = 3600;
const MAX_NEGATIVE_SECONDS = 1800;
const MIN_SECONDS = 5;
const MAX_SERVFAIL_MS = 300_000;
const HOUR_MS = 3_600_000;
const DEFAULT_VERIFY_TIMEOUT_MS = 5000;

const OPTIONS = [
  'success',
  'denial',
  'prefetch',
  'serve_stale',
  'serve_stale_policy',
  'servfail',
  'disable',
  'keepttl',
];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Omit<Mutable<CacheOptions>, 'success' | 'denial'> & {
  success: Mutable<CacheClassOptions>;
  denial: Mutable<CacheClassOptions>;
};

export function parseCacheOptions(
  directive: Directive,
  blockZones: readonly string[],
): CacheOptions {
  const [first, ...others] = directive.args;
  const hasTtl = first !== undefined && /^\d+$/.test(first.text);
  const ttl = hasTtl ? integerArgument(first, 'TTL', { min: 0, max: 86_400 }) : undefined;
  const zones = zoneArguments(hasTtl ? others : directive.args, blockZones);
  const draft: Draft = {
    zones,
    success: classOptions(ttl ?? MAX_POSITIVE_SECONDS),
    denial: classOptions(ttl ?? MAX_NEGATIVE_SECONDS),
    servfailMs: MIN_SECONDS * 1000,
    keepTtl: false,
  };
  for (const option of directive.block ?? []) applyOption(draft, option);
  return draft;
}

function classOptions(maxSeconds: number): Mutable<CacheClassOptions> {
  return { capacity: DEFAULT_CAPACITY, maxSeconds, minSeconds: MIN_SECONDS, disabledZones: [] };
}

function applyOption(draft: Draft, option: Directive): void {
  const { name, args } = option;
  switch (name.text) {
    case 'success':
    case 'denial':
      applyClass(draft[name.text], option);
      break;
    case 'prefetch':
      draft.prefetch = prefetchOf(option);
      break;
    case 'serve_stale':
      draft.serveStale = serveStaleOf(option);
      break;
    case 'serve_stale_policy':
      expectThat(
        args[0]?.text === 'prefer_positive',
        name,
        'serve_stale_policy: expected prefer_positive',
      );
      break;
    case 'servfail': {
      const [duration] = args;
      if (duration === undefined) throw new CorefileError(name, 'servfail needs a duration');
      draft.servfailMs = durationArgument(duration, 'servfail');
      expectThat(draft.servfailMs <= MAX_SERVFAIL_MS, duration, 'servfail: expected at most 5m');
      break;
    }
    case 'disable': {
      const [which, ...zones] = args;
      if (which?.text !== 'success' && which?.text !== 'denial')
        throw new CorefileError(name, "disable: expected 'success' or 'denial', then zones");
      draft[which.text].disabledZones = zoneArguments(zones, ['.']);
      break;
    }
    case 'keepttl':
      draft.keepTtl = true;
      break;
    default:
      unknownOption('cache', name, OPTIONS);
  }
}

/** `success CAPACITY [TTL [MINTTL]]`. */
function applyClass(options: Mutable<CacheClassOptions>, { name, args }: Directive): void {
  const [capacity, ttl, minTtl] = args;
  if (capacity === undefined) throw new CorefileError(name, `${name.text} needs a capacity`);
  options.capacity = integerArgument(capacity, 'capacity', { min: 1, max: 10_000_000 });
  if (ttl !== undefined)
    options.maxSeconds = integerArgument(ttl, 'TTL', { min: 0, max: 2 ** 31 - 1 });
  if (minTtl !== undefined)
    options.minSeconds = integerArgument(minTtl, 'MINTTL', { min: 0, max: 2 ** 31 - 1 });
}

/** `prefetch AMOUNT [DURATION [PERCENTAGE%]]`. */
function prefetchOf({ name, args }: Directive): NonNullable<CacheOptions['prefetch']> {
  const [hits, gap, percentage] = args;
  if (hits === undefined) throw new CorefileError(name, 'prefetch needs a number of hits');
  const percent =
    percentage === undefined
      ? 10
      : integerArgument(
          { ...percentage, text: percentage.text.replace(/%$/, '') },
          'prefetch percentage',
          { min: 10, max: 90 },
        );
  return {
    hits: integerArgument(hits, 'prefetch', { min: 0, max: 2 ** 31 - 1 }),
    gapMs: gap === undefined ? 60_000 : durationArgument(gap, 'prefetch'),
    percentage: percent,
  };
}

/** `serve_stale [DURATION] [immediate|verify [TIMEOUT]] [TTL [RECHECK]]`. */
function serveStaleOf({ args }: Directive): NonNullable<CacheOptions['serveStale']> {
  const words = [...args];
  const isDuration = (text: string | undefined): boolean => /^\d+[a-zµ]/.test(text ?? '');
  const upTo = isDuration(words[0]?.text) ? words.shift() : undefined;
  const mode = words[0] !== undefined && !/^\d/.test(words[0].text) ? words.shift() : undefined;
  if (mode !== undefined && mode.text !== 'immediate' && mode.text !== 'verify')
    throw new CorefileError(mode, `serve_stale '${mode.text}'; expected immediate or verify`);
  const timeout = isDuration(words[0]?.text) ? words.shift() : undefined;
  const ttl = words.shift();
  const recheck = words.shift();
  const [extra] = words;
  if (extra !== undefined)
    throw new CorefileError(extra, `serve_stale: unexpected '${extra.text}' after RECHECK`);
  return {
    upToMs: upTo === undefined ? HOUR_MS : durationArgument(upTo, 'serve_stale'),
    verify: mode?.text === 'verify',
    verifyTimeoutMs:
      timeout === undefined
        ? DEFAULT_VERIFY_TIMEOUT_MS
        : durationArgument(timeout, 'serve_stale timeout'),
    ttlSeconds:
      ttl === undefined ? 0 : integerArgument(ttl, 'serve_stale TTL', { min: 0, max: 3600 }),
    recheckMs: recheck === undefined ? 0 : durationArgument(recheck, 'serve_stale recheck'),
  };
}
