import { RecordType } from '../../message/codes.ts';
import { addressRecord, replyTo, resourceRecord } from '../../message/message.ts';
import { joinName } from '../../message/name.ts';
import type { Plugin } from '../../plugin/plugin.ts';
import { noArguments, once, type PluginModule } from '../../plugin/setup.ts';

/** Tells the client its own address and port, in the additional section. */
const plugin: Plugin = {
  name: 'whoami',
  serve(request) {
    const { peer, question } = request;
    const owner = joinName(`_${peer.protocol}`, question.name);
    const port = resourceRecord(owner, RecordType.SRV, 0, {
      kind: 'srv',
      priority: 0,
      weight: 0,
      port: peer.port,
      target: '.',
    });
    const additionals = [addressRecord(question.name, 0, peer.address), port];
    const message = replyTo(request.message, { authoritative: true, additionals });
    return Promise.resolve({ kind: 'reply', message, plugin: 'whoami' });
  },
};

export const whoami: PluginModule = {
  name: 'whoami',
  setup(directives) {
    noArguments(once(directives));
    return { plugin };
  },
};
