import { acl } from '../plugins/acl/setup.ts';
import { any } from '../plugins/any/setup.ts';
import { autopath } from '../plugins/autopath/setup.ts';
import { bufsize } from '../plugins/bufsize/setup.ts';
import { cache } from '../plugins/cache/setup.ts';
import { chaos } from '../plugins/chaos/setup.ts';
import { debug } from '../plugins/debug/setup.ts';
import { dns64 } from '../plugins/dns64/setup.ts';
import { erratic } from '../plugins/erratic/setup.ts';
import { errors } from '../plugins/errors/setup.ts';
import { etcd } from '../plugins/etcd/setup.ts';
import { file } from '../plugins/file/setup.ts';
import { forward } from '../plugins/forward/setup.ts';
import { health } from '../plugins/health/setup.ts';
import { hosts } from '../plugins/hosts/setup.ts';
import { k8sExternal } from '../plugins/k8s_external/setup.ts';
import { kubernetes } from '../plugins/kubernetes/setup.ts';
import { loadbalance } from '../plugins/loadbalance/setup.ts';
import { log } from '../plugins/log/setup.ts';
import { loop } from '../plugins/loop/setup.ts';
import { metadata } from '../plugins/metadata/setup.ts';
import { minimal } from '../plugins/minimal/setup.ts';
import { nsid } from '../plugins/nsid/setup.ts';
import { prometheus } from '../plugins/prometheus/setup.ts';
import { ready } from '../plugins/ready/setup.ts';
import { reload } from '../plugins/reload/setup.ts';
import { rewrite } from '../plugins/rewrite/setup.ts';
import { template } from '../plugins/template/setup.ts';
import { transfer } from '../plugins/transfer/setup.ts';
import { whoami } from '../plugins/whoami/setup.ts';
import type { PluginModule } from './setup.ts';

/**
 * All plugins in the order queries pass them. The order is CoreDNS's plugin.cfg and does not depend on
 * the Corefile: cache sits above kubernetes, rewrite above cache, fallthrough goes downwards.
 */
export const pluginModules: readonly PluginModule[] = [
  metadata,
  reload,
  nsid,
  bufsize,
  debug,
  ready,
  health,
  prometheus,
  errors,
  log,
  dns64,
  any,
  chaos,
  loadbalance,
  rewrite,
  autopath,
  acl,
  cache,
  minimal,
  template,
  transfer,
  hosts,
  k8sExternal,
  kubernetes,
  file,
  etcd,
  loop,
  forward,
  erratic,
  whoami,
];
