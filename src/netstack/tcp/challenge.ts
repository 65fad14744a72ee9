import { AckUrgency, type TcpConnection } from './tcp-connection.ts';

/**
 * RFC 5961 §3.2, §4.2, §5.2: tells the peer where the connection stands instead of believing a segment that
 * anybody could have sent. Limited a connection, so that the limit tells an attacker nothing (§7).
 */
export function challenge(connection: TcpConnection, now: number): void {
  if (!connection.challenges.take(now)) {
    connection.host.drops.drop('tcp-challenged');
    return;
  }
  connection.host.counters.challengeAcks += 1;
  acknowledgeNow(connection);
}

/** The next dispatch sends an acknowledgement, with data or without. */
export function acknowledgeNow(connection: TcpConnection): void {
  connection.ackUrgency = AckUrgency.now;
  connection.host.wake(connection);
}
