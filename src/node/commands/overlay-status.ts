import { formatCidr, formatIp } from '../../base/ip.ts';
import type { OverlayNode } from '../../overlay/overlay-node.ts';
import type { NodeAgent } from '../node-agent.ts';
import { overlayOf } from './overlay-of.ts';

/** `overlay status`: what this node announces, what crossed its device, and what was dropped and why. */
export function overlayStatus(agent: NodeAgent): string {
  const overlay = overlayOf(agent);
  const sections = [header(overlay), peers(overlay), drops(overlay), problems(overlay)];
  return sections.filter((section) => section !== '').join('\n');
}

function header(overlay: OverlayNode): string {
  const { lease, mtu } = overlay;
  const { device, gate, datagrams, connections } = overlay.counters();
  const rows = [
    ['backend', lease.backendType],
    ['subnet', lease.ipv4 === undefined ? '' : formatCidr(lease.ipv4.subnet)],
    ['public address', lease.ipv4 === undefined ? '' : formatIp(lease.ipv4.publicIp)],
    ['MTU', String(mtu)],
  ];
  if (device !== undefined)
    rows.push(
      ['receive buffer', `${overlay.vtep?.receiveBufferBytes} bytes`],
      ['sent', `${device.sentPackets} frames, ${device.sentBytes} bytes`],
      ['received', `${device.receivedPackets} frames, ${device.receivedBytes} bytes`],
      ['partial checksums', String(device.partialChecksums)],
      ['above the MTU', String(device.oversized)],
      ['connections', `${connections} (${gate?.accepted} let in, ${gate?.refused} refused)`],
      ['UDP flows', `${datagrams?.opened} let in, ${datagrams?.refused} refused`],
    );
  return table(rows);
}

function peers(overlay: OverlayNode): string {
  const rows = Array.from(overlay.counters().peers, ([address, counters]) => [
    address,
    String(counters.sentFrames),
    String(counters.sentBytes),
    String(counters.receivedFrames),
    String(counters.receivedBytes),
  ]);
  if (rows.length === 0) return '';
  return table([['PEER', 'SENT FRAMES', 'BYTES', 'RECEIVED FRAMES', 'BYTES'], ...rows]);
}

function drops(overlay: OverlayNode): string {
  const rows = Array.from(overlay.counters().drops, ([reason, count]) => [reason, String(count)]);
  return rows.length === 0 ? '' : table([['DROPPED', 'FRAMES'], ...rows]);
}

function problems(overlay: OverlayNode): string {
  return overlay.problems.map((problem) => `left out: ${problem}\n`).join('');
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) => {
      const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
      return `${cells.join('   ').trimEnd()}\n`;
    })
    .join('');
}
