import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ApiAccess } from '../cluster/api-access.ts';
import type { ClusterOptions } from '../cluster/cluster.ts';
import { wholeNumber } from './cluster-options.ts';

/** Options of commands that keep objects and serve the Kubernetes API. */
export interface ApiFlags {
  readonly dataDir?: string;
  readonly etcd?: readonly string[];
  readonly apiListen: { readonly host: string; readonly port: number };
  readonly insecurePort?: number;
  readonly kubeconfig: string;
}

const MAX_PORT = 65_535;

/** Where the kubeconfig of the last cluster is, unless told otherwise. */
export function defaultKubeconfigPath(): string {
  return join(homedir(), '.podwire', 'kubeconfig');
}

export function kubeconfigOption(meaning: string): Option {
  return new Option('--kubeconfig <file>', meaning).default(
    defaultKubeconfigPath(),
    '~/.podwire/kubeconfig',
  );
}

export function addApiOptions(command: Command): Command {
  return command
    .option('--data-dir <folder>', 'keep all objects and credentials here between runs')
    .option('--etcd <url>', 'keep all objects in etcd, e.g. http://127.0.0.1:2379', addEndpoint)
    .addOption(
      new Option('--api-listen <address:port>', 'where kubectl finds the API, over TLS')
        .argParser(addressAndPort)
        .default({ host: '127.0.0.1', port: 6443 }, '127.0.0.1:6443'),
    )
    .option(
      '--insecure-port <port>',
      'also serve the API in plain HTTP, without a token, on this port of 127.0.0.1',
      portNumber,
    )
    .addOption(kubeconfigOption('write the kubeconfig here'));
}

export function apiAccessFor(flags: ApiFlags): ApiAccess {
  return {
    listen: flags.apiListen,
    ...(flags.insecurePort === undefined ? {} : { insecurePort: flags.insecurePort }),
    kubeconfigPath: resolve(flags.kubeconfig),
    ...(flags.dataDir === undefined ? {} : { credentialsDirectory: resolve(flags.dataDir, 'pki') }),
  };
}

/** etcd wins: a data folder beside it holds the credentials only. */
export function storeConfigFor(flags: ApiFlags): NonNullable<ClusterOptions['store']> {
  if (flags.etcd !== undefined) return { kind: 'etcd', endpoints: flags.etcd };
  if (flags.dataDir !== undefined) return { kind: 'log', dataDirectory: resolve(flags.dataDir) };
  return { kind: 'memory' };
}

function addEndpoint(text: string, previous: readonly string[] = []): readonly string[] {
  const endpoints = text.split(',').map((part) => part.trim());
  for (const endpoint of endpoints)
    if (!/^https?:\/\/[^/]+$/.test(endpoint))
      throw new InvalidArgumentError('must be like http://127.0.0.1:2379.');
  return [...previous, ...endpoints];
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > MAX_PORT) throw new InvalidArgumentError(`must be at most ${MAX_PORT}.`);
  return port;
}

function addressAndPort(text: string): ApiFlags['apiListen'] {
  const match = /^(.+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > MAX_PORT)
    throw new InvalidArgumentError('must be like 127.0.0.1:6443.');
  return { host: (match[1] ?? '').replace(/^\[(.*)\]$/, '$1'), port };
}
