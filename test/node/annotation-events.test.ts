import { expect, test } from 'vitest';
import type { Service } from '../../src/api/types/core.ts';
import { recordAnnotationProblems } from '../../src/node/annotation-events.ts';
import type { ObjectFeed } from '../../src/node/object-feed.ts';
import { service } from '../services/objects.ts';

test('an annotation that a proxy ignores is an Event, once for each problem', () => {
  let tell: (current: Service | undefined, previous: Service | undefined) => void = () => {};
  const feed = {
    subscribe: (handler: typeof tell) => {
      tell = handler;
      return () => {};
    },
  } as unknown as ObjectFeed<Service>;
  const recorded: string[] = [];
  recordAnnotationProblems(feed, (_, type, reason, message) =>
    recorded.push(`${type} ${reason} ${message}`),
  );
  const bad = service({ annotations: { 'podwire.io/proxy-mode': 'ebpf' } });
  const worse = service({ annotations: { 'podwire.io/ipvs-scheduler': 'best' } });
  tell(bad, undefined);
  tell(bad, bad);
  tell(worse, bad);
  tell(service(), worse);
  tell(undefined, bad);
  expect(recorded).toEqual([
    expect.stringMatching(/^Warning InvalidProxyAnnotation podwire\.io\/proxy-mode: "ebpf" is no/),
    expect.stringMatching(/^Warning InvalidProxyAnnotation podwire\.io\/ipvs-scheduler: .*"best"/),
  ]);
});
