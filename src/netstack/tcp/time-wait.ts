import type { TcpConnection } from './tcp-connection.ts';

/** RFC 9293 §3.6.1. Entered again by each retransmitted FIN, which starts the wait over. */
export function enterTimeWait(connection: TcpConnection, now: number): void {
  connection.state = 'TIME-WAIT';
  connection.host.retired(connection);
  connection.stopTimers();
  connection.sendBuffer.release();
  connection.sent.release();
  connection.lingerAt = now + connection.config.timeWaitMs;
}
