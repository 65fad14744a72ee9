import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, isInstalled, startChild } from './child.ts';

export interface Peer {
  readonly name: string;
  readonly installed: boolean;
  start(listenPort: number, backendPort: number): Promise<Child>;
}

/** Our engines and modes, and what Debian has. `folder` takes their configuration. */
export function peers(folder: string, childScript: string): readonly Peer[] {
  const own = (name: string): Peer => ({
    name: `podwire ${name}`,
    installed: true,
    start: (listenPort, backendPort) =>
      startChild(
        process.execPath,
        [childScript, name, String(listenPort), String(backendPort)],
        listenPort,
      ),
  });
  return [
    {
      name: 'haproxy',
      installed: isInstalled('haproxy'),
      start: (listenPort, backendPort) => startHaproxy(folder, listenPort, backendPort, ''),
    },
    {
      name: 'haproxy splice-auto',
      installed: isInstalled('haproxy'),
      start: (listenPort, backendPort) =>
        startHaproxy(folder, listenPort, backendPort, 'option splice-auto'),
    },
    {
      name: 'haproxy splice 1 MiB pipes',
      installed: isInstalled('haproxy'),
      start: (listenPort, backendPort) =>
        startHaproxy(
          folder,
          listenPort,
          backendPort,
          'option splice-request\n  option splice-response',
          'tune.pipesize 1048576',
        ),
    },
    {
      name: 'nginx stream',
      installed: isInstalled('nginx'),
      start: (listenPort, backendPort) => startNginxStream(folder, listenPort, backendPort),
    },
    own('uring'),
    own('epoll'),
    own('handle'),
    own('net'),
    own('iptables:uring'),
    own('iptables:epoll'),
    own('iptables:handle'),
    own('ipvs:uring'),
  ];
}

/** Mode tcp, one thread, the default 16 KiB buffers and pipes; no splice unless `option` asks for it. */
function startHaproxy(
  folder: string,
  listenPort: number,
  backendPort: number,
  option: string,
  globalOption = '',
): Promise<Child> {
  const file = join(folder, `haproxy-${listenPort}.cfg`);
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 4000
  ${globalOption}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  ${option}
listen bench
  bind 127.0.0.1:${listenPort} backlog 4096
  server backend 127.0.0.1:${backendPort}
`,
  );
  return startChild('haproxy', ['-db', '-f', file], listenPort);
}

function startNginxStream(folder: string, listenPort: number, backendPort: number): Promise<Child> {
  const file = join(folder, `stream-${listenPort}.conf`);
  writeFileSync(
    file,
    `${nginxHead(folder, `stream-${listenPort}`)}
stream {
  access_log off;
  server {
    listen 127.0.0.1:${listenPort} backlog=4096;
    proxy_pass 127.0.0.1:${backendPort};
    proxy_timeout 1h;
    proxy_half_close on;
  }
}
`,
  );
  return startChild('nginx', ['-c', file], listenPort);
}

/** The backend of all: short answers at /, files of the folder elsewhere. */
export function startBackend(folder: string, port: number): Promise<Child> {
  const file = join(folder, 'backend.conf');
  writeFileSync(
    file,
    `${nginxHead(folder, 'backend')}
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 100000000;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder};
    location = / { return 200 'hello from the backend'; }
  }
}
`,
  );
  return startChild('nginx', ['-c', file], port);
}

function nginxHead(folder: string, name: string): string {
  return `daemon off;
user root;
worker_processes 1;
pid ${folder}/${name}.pid;
error_log ${folder}/${name}.log error;
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 8000; }`;
}
