import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, ProbeHandler } from '../../api/types/core.ts';
import type { IntOrString } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { ContainerHandle } from '../runtime/container.ts';

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** What a probe is run against. */
export interface ProbeTarget {
  readonly podIP: string;
  readonly container: Container;
  readonly handle: ContainerHandle;
  /** Where a pod's port really listens: see pod-ports.ts. */
  dialPort(address: string, port: number): number;
}

const OK: ProbeResult = { ok: true };

function failed(message: string): ProbeResult {
  return { ok: false, message };
}

/** Runs one probe or hook action once. Never rejects; sockets are gone when it resolves. */
export async function runProbe(
  clock: Clock,
  probe: ProbeHandler,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const timeout = new AbortController();
  const timer = clock.setTimer(timeoutMs, () =>
    timeout.abort(new Error(`timeout after ${timeoutMs / 1000}s`)),
  );
  try {
    return await probeOnce(probe, target, timeoutMs, timeout.signal);
  } catch (error) {
    return failed(errorMessage(error));
  } finally {
    timer.cancel();
  }
}

function probeOnce(
  probe: ProbeHandler,
  target: ProbeTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (probe.httpGet !== undefined) return httpProbe(probe.httpGet, target, signal);
  if (probe.tcpSocket !== undefined) {
    const { host = target.podIP, port } = probe.tcpSocket;
    return tcpProbe(host, realPort(target, host, port), signal);
  }
  if (probe.grpc !== undefined) {
    const port = realPort(target, target.podIP, probe.grpc.port);
    return grpcProbe(target.podIP, port, probe.grpc.service ?? '', signal);
  }
  if (probe.exec !== undefined) return execProbe(probe.exec.command ?? [], target, timeoutMs);
  return Promise.resolve(OK);
}

function realPort(target: ProbeTarget, host: string, port: IntOrString): number {
  return target.dialPort(host, portNumber(target.container, port));
}

/** A number, or the name of one of the container's ports. */
function portNumber(container: Container, port: IntOrString): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (!Number.isInteger(number)) throw new Error(`couldn't find port: ${port}`);
  return number;
}

function httpProbe(
  action: NonNullable<ProbeHandler['httpGet']>,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const host = action.host ?? target.podIP;
  const port = realPort(target, host, action.port);
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.35', accept: '*/*' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  const options = {
    host,
    port,
    path: action.path ?? '/',
    headers,
    agent: false as const,
    signal,
  };
  return new Promise((resolve) => {
    const onResponse = (response: IncomingMessage): void => {
      const code = response.statusCode ?? 0;
      response.resume();
      request.once('close', () =>
        resolve(
          code >= 200 && code < 400 ? OK : failed(`HTTP probe failed with statuscode: ${code}`),
        ),
      );
    };
    // The kubelet does not verify certificates of the pods it probes.
    const request =
      action.scheme === 'HTTPS'
        ? httpsRequest({ ...options, rejectUnauthorized: false }, onResponse)
        : httpRequest(options, onResponse);
    request.once('error', (error) =>
      resolve(failed(`Get "http://${host}:${port}${options.path}": ${error.message}`)),
    );
    request.end();
  });
}

function tcpProbe(host: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    let result: ProbeResult = OK;
    socket.once('connect', () => socket.destroy());
    socket.once('error', (error) => {
      result = failed(`dial tcp ${host}:${port}: ${error.message}`);
    });
    socket.once('close', () => resolve(result));
  });
}

async function execProbe(
  command: readonly string[],
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  if (target.handle.exec === undefined)
    return failed('exec probes need a process pod (annotation podwire.io/runtime: process)');
  const { exitCode, output } = await target.handle.exec(command, timeoutMs);
  return exitCode === 0 ? OK : failed(output.trim());
}

/** grpc.health.v1.Health/Check; SERVING is status 1. */
function grpcProbe(
  host: string,
  port: number,
  service: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const session = http2Connect(`http://${host}:${port}`);
    let result: ProbeResult = failed('timeout: health rpc did not complete');
    session.once('close', () => resolve(result));
    session.once('error', (error) => {
      result = failed(`failed to connect service "${host}:${port}": ${error.message}`);
      session.destroy();
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    signal.addEventListener('abort', () => session.destroy(), { once: true });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('error', (error) => {
      result = failed(error.message);
      session.destroy();
    });
    stream.once('end', () => {
      result = healthCheckResult(Buffer.concat(chunks));
      session.close();
    });
    stream.end(healthCheckRequest(service));
  });
}

/** A length-prefixed gRPC message holding HealthCheckRequest{service = 1}. */
function healthCheckRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

function healthCheckResult(body: Buffer): ProbeResult {
  // Frame header (5 bytes), then HealthCheckResponse{status = 1}: 0x08 0x01 when SERVING.
  if (body.length >= 7 && body[5] === 0x08 && body[6] === 1) return OK;
  const status = body.length >= 7 ? body[6] : 'unknown';
  return failed(`service unhealthy (responded with "${status}")`);
}
