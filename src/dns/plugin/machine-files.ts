import { readFile } from 'node:fs/promises';
import type { FileReader } from './setup.ts';

/** The files of this machine. */
export const machineFiles: FileReader = { read: (path) => readFile(path, 'utf8') };
