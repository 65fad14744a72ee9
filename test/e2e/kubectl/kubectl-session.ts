import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prints, type ScriptStep } from '../../support/console-script.ts';

const MANIFESTS = join(import.meta.dirname, 'manifests');
const RETRIES = { attempts: 400, everyMs: 250 };
const STEP_TIMEOUT_MS = 120_000;

export interface Outcome {
  readonly code: number;
  readonly printed: string;
}

/** A folder with the manifests, and a shell in which `kubectl` is the program under test. */
export class KubectlSession {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(program: string, kubeconfig: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'podwire-kubectl-'));
    const bin = join(this.folder, '.bin');
    mkdirSync(bin);
    symlinkSync(program, join(bin, 'kubectl'));
    cpSync(MANIFESTS, this.folder, { recursive: true });
    cpSync(kubeconfig, join(this.folder, '.kubeconfig'));
    this.#env = {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      // Discovery that was cached for another server at this address would mislead kubectl.
      HOME: this.folder,
      KUBECONFIG: join(this.folder, '.kubeconfig'),
      LC_ALL: 'C',
      TZ: 'UTC',
    };
  }

  run(command: string): Promise<Outcome> {
    return new Promise((settle) => {
      execFile(
        'bash',
        ['-c', `{ ${command}\n} 2>&1`],
        { cwd: this.folder, env: this.#env, timeout: STEP_TIMEOUT_MS, maxBuffer: 1 << 24 },
        (error, stdout) => {
          const code = error === null ? 0 : error.code;
          settle({ code: typeof code === 'number' ? code : 127, printed: stdout });
        },
      );
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs a step, again and again where what it shows comes about by itself. */
export async function play(session: KubectlSession, step: ScriptStep): Promise<Outcome> {
  let outcome = await session.run(step.command);
  for (
    let left = RETRIES.attempts;
    step.eventually && left > 0 && !fits(step, outcome);
    left -= 1
  ) {
    await new Promise((settle) => setTimeout(settle, RETRIES.everyMs));
    outcome = await session.run(step.command);
  }
  return outcome;
}

export function fits(step: ScriptStep, { code, printed }: Outcome): boolean {
  return code === step.exitCode && prints(step, printed);
}
