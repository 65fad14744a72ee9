import { widthOf } from './svg.ts';

/** Degrees by which names over columns are turned. */
export const SLANT = 40;

/** The room that names over columns take above them, and to the right of the last. */
export function slantedRoom(names: readonly string[]): { height: number; overhang: number } {
  const width = widthOf(names);
  const angle = (SLANT * Math.PI) / 180;
  return { height: 14 + width * Math.sin(angle), overhang: width * Math.cos(angle) };
}
