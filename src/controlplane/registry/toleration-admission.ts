import type { Pod, Toleration } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Admission } from './admission.ts';

/** How long pods tolerate a lost node unless they say otherwise. */
export interface DefaultTolerationSeconds {
  /** --default-not-ready-toleration-seconds. */
  readonly notReady: number;
  /** --default-unreachable-toleration-seconds. */
  readonly unreachable: number;
}

export const DEFAULT_TOLERATION_SECONDS: DefaultTolerationSeconds = {
  notReady: 300,
  unreachable: 300,
};

/** The DefaultTolerationSeconds admission plugin, for pods. */
export class TolerationAdmission implements Admission {
  readonly #seconds: Readonly<Record<string, number>>;

  constructor({ notReady, unreachable }: DefaultTolerationSeconds) {
    this.#seconds = {
      'node.kubernetes.io/not-ready': notReady,
      'node.kubernetes.io/unreachable': unreachable,
    };
  }

  create(draft: KubeObject): void {
    const { spec } = draft as Pod;
    const given = spec.tolerations ?? [];
    const added = Object.entries(this.#seconds)
      .filter(([key]) => !given.some((toleration) => coversEviction(toleration, key)))
      .map(
        ([key, tolerationSeconds]): Toleration => ({
          key,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds,
        }),
      );
    spec.tolerations = [...given, ...added];
  }
}

function coversEviction({ key = '', effect }: Toleration, taint: string): boolean {
  return (key === taint || key === '') && (effect === undefined || effect === 'NoExecute');
}
