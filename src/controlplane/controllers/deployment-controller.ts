import { equalJson } from '../../api/json.ts';
import { matchesSelector } from '../../api/label-selector.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import type { Pod } from '../../api/types/core.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import type { Informer } from '../client/informer.ts';
import { type ReconcileResult, startController } from './controller.ts';
import {
  type ControllerContext,
  type ControllerTools,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import {
  DESIRED_ANNOTATION,
  findNewSet,
  makeSet,
  nextRevision,
  REVISION_ANNOTATION,
  revisionOf,
  setAnnotations,
  sizeAnnotations,
} from './deployment-revisions.ts';
import {
  byCreation,
  newSetReplicas,
  replicasOf,
  scaleProportionally,
  type ScaleStep,
  shrinkOldSets,
  totalReplicas,
} from './deployment-scaling.ts';
import { deadlineInMs, deploymentStatus, isComplete, type NewSet } from './deployment-status.ts';
import { controllerOf, controllerReference, isPodFinished } from './pod-facts.ts';
import { contentHash } from './template-hash.ts';

/** Rolls Deployments out by growing and shrinking ReplicaSets (pkg/controller/deployment). */
export function startDeploymentController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'deployment-controller');
  const deployments = informers.of('deployments');
  const sets = informers.of('replicasets');
  const setIndex = new InformerIndex(sets, setKeys);
  const podIndex = new InformerIndex(informers.of('pods'), (pod) => {
    const owner = controllerOf(pod);
    return owner === undefined ? [] : [owner.uid];
  });
  const worker = new DeploymentWorker({ deployments, setIndex, podIndex, tools, clock });

  return startController({
    name: 'deployment-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      deployments.subscribe((current, previous) => {
        const object = current ?? previous;
        if (object !== undefined) queue.add(objectKey(object));
      }),
      sets.subscribe((current, previous) => {
        for (const set of [current, previous]) {
          const owner = set === undefined ? undefined : controllerOf(set);
          if (owner?.kind === 'Deployment') queue.add(`${set?.metadata.namespace}/${owner.name}`);
        }
      }),
      // Recreate waits for the last old pod to go.
      informers.of('pods').subscribe((current, previous) => {
        if (current !== undefined || previous === undefined) return;
        const owner = controllerOf(previous);
        const set =
          owner === undefined ? undefined : sets.get(owner.name, previous.metadata.namespace);
        const deployment = set === undefined ? undefined : controllerOf(set);
        if (deployment !== undefined)
          queue.add(`${previous.metadata.namespace}/${deployment.name}`);
      }),
      () => setIndex.close(),
      () => podIndex.close(),
    ],
    reconcile: (key) => worker.reconcile(key),
  });
}

function setKeys(set: ReplicaSet): readonly string[] {
  const owner = controllerOf(set);
  return [owner === undefined ? `orphans of ${set.metadata.namespace}` : owner.uid];
}

interface WorkerOptions {
  readonly deployments: Informer<Deployment>;
  readonly setIndex: InformerIndex<ReplicaSet>;
  readonly podIndex: InformerIndex<Pod>;
  readonly tools: ControllerTools;
  readonly clock: Clock;
}

class DeploymentWorker {
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { namespace, name } = splitKey(key);
    const deployment = this.#options.deployments.get(name, namespace);
    if (deployment === undefined) return undefined;
    const sets = await this.#claimSets(deployment);
    if (deployment.metadata.deletionTimestamp !== undefined)
      return this.#writeStatus(deployment, found(findNewSet(deployment, sets)), sets);
    if (deployment.spec.paused === true || isScalingEvent(deployment, sets))
      return this.#syncPaused(deployment, sets);
    return deployment.spec.strategy?.type === 'Recreate'
      ? this.#recreate(deployment, sets)
      : this.#roll(deployment, sets);
  }

  async #roll(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
  ): Promise<ReconcileResult | undefined> {
    const { newSet: current, oldSets } = await this.#ensureNewSet(deployment, sets);
    const { set: newSet } = current;
    const all = [...oldSets, newSet];
    const size = newSetReplicas(deployment, newSet, all);
    if (size !== replicasOf(newSet))
      await this.#scale(deployment, [{ set: newSet, replicas: size }]);
    else await this.#scale(deployment, shrinkOldSets(deployment, newSet, oldSets));
    return this.#finish(deployment, current, oldSets);
  }

  /** All old pods go before the first new one comes. */
  async #recreate(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
  ): Promise<ReconcileResult | undefined> {
    const existing = findNewSet(deployment, sets);
    const old = sets.filter((set) => set !== existing);
    const running = old.filter((set) => replicasOf(set) > 0);
    if (running.length > 0) {
      await this.#scale(
        deployment,
        running.map((set) => ({ set, replicas: 0 })),
      );
      return this.#writeStatus(deployment, found(existing), sets);
    }
    const leftovers = old
      .flatMap((set) => this.#options.podIndex.get(set.metadata.uid ?? ''))
      .filter((pod) => !isPodFinished(pod));
    if (leftovers.length > 0) return this.#writeStatus(deployment, found(existing), sets);
    const { newSet, oldSets } = await this.#ensureNewSet(deployment, sets);
    const { replicas = 0 } = deployment.spec;
    await this.#scale(deployment, [{ set: newSet.set, replicas }]);
    return this.#finish(deployment, newSet, oldSets);
  }

  /** Paused, or only the size changed: no rollout, but the size is kept. */
  async #syncPaused(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
  ): Promise<ReconcileResult | undefined> {
    const newSet = findNewSet(deployment, sets);
    const oldSets = sets.filter((set) => set !== newSet);
    await this.#scale(deployment, this.#sizeChange(deployment, newSet, oldSets));
    if (deployment.spec.paused === true) await this.#cleanUp(deployment, oldSets);
    return this.#writeStatus(deployment, found(newSet), sets);
  }

  #sizeChange(
    deployment: Deployment,
    newSet: ReplicaSet | undefined,
    oldSets: readonly ReplicaSet[],
  ): ScaleStep[] {
    const sets = newSet === undefined ? oldSets : [...oldSets, newSet];
    const { replicas = 0 } = deployment.spec;
    const active = sets.filter((set) => replicasOf(set) > 0);
    const only =
      active.length > 1 ? undefined : (active[0] ?? newSet ?? byCreation(oldSets).at(-1));
    if (only !== undefined)
      return replicasOf(only) === replicas && isCurrentSize(deployment, only)
        ? []
        : [{ set: only, replicas }];
    const saturated =
      newSet !== undefined &&
      replicasOf(newSet) === replicas &&
      isCurrentSize(deployment, newSet) &&
      (newSet.status?.availableReplicas ?? 0) === replicas;
    if (saturated)
      return oldSets.filter((set) => replicasOf(set) > 0).map((set) => ({ set, replicas: 0 }));
    const steps =
      deployment.spec.strategy?.type === 'RollingUpdate'
        ? scaleProportionally(deployment, sets)
        : [];
    const stepped = new Set(steps.map(({ set }) => set));
    return [
      ...steps,
      ...active
        .filter((set) => !stepped.has(set) && !isCurrentSize(deployment, set))
        .map((set) => ({ set, replicas: replicasOf(set) })),
    ];
  }

  async #ensureNewSet(
    deployment: Deployment,
    sets: readonly ReplicaSet[],
  ): Promise<{ newSet: NewSet; oldSets: readonly ReplicaSet[] }> {
    const existing = findNewSet(deployment, sets);
    const oldSets = sets.filter((set) => set !== existing);
    const revision = nextRevision(oldSets);
    const isCreated = existing === undefined;
    const set = isCreated
      ? await this.#createSet(deployment, oldSets, revision)
      : await this.#refreshSet(deployment, existing, revision);
    await this.#noteRevision(deployment, set);
    return { newSet: { set, isCreated }, oldSets };
  }

  async #createSet(
    deployment: Deployment,
    oldSets: readonly ReplicaSet[],
    revision: number,
  ): Promise<ReplicaSet> {
    const { client, events } = this.#options.tools;
    const hash = contentHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
    const replicas = newSetReplicas(deployment, undefined, oldSets);
    const set = makeSet(deployment, hash, revision, replicas);
    try {
      const created = await client.resource('replicasets').create(set);
      if (replicas > 0)
        events.record(
          deployment,
          'Normal',
          'ScalingReplicaSet',
          `Scaled up replica set ${created.metadata.name} from 0 to ${replicas}`,
        );
      return created;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) await this.#countCollision(deployment);
      else
        events.record(
          deployment,
          'Warning',
          'ReplicaSetCreateError',
          `Failed to create new replica set "${set.metadata.name}": ${errorMessage(error)}`,
        );
      throw error;
    }
  }

  /** The name is taken by another template: the next attempt uses another one. */
  async #countCollision(deployment: Deployment): Promise<void> {
    await this.#options.tools.client.resource('deployments').updateStatus({
      ...deployment,
      status: {
        ...deployment.status,
        collisionCount: (deployment.status?.collisionCount ?? 0) + 1,
      },
    });
  }

  async #refreshSet(
    deployment: Deployment,
    set: ReplicaSet,
    revision: number,
  ): Promise<ReplicaSet> {
    const annotations = setAnnotations(deployment, set, revision);
    const { minReadySeconds = 0 } = deployment.spec;
    if (
      annotations === set.metadata.annotations &&
      minReadySeconds === (set.spec.minReadySeconds ?? 0)
    )
      return set;
    return this.#options.tools.client.resource('replicasets').update({
      ...set,
      metadata: { ...set.metadata, annotations },
      spec: { ...set.spec, minReadySeconds },
    });
  }

  async #noteRevision(deployment: Deployment, newSet: ReplicaSet): Promise<void> {
    const revision = String(revisionOf(newSet));
    if (deployment.metadata.annotations?.[REVISION_ANNOTATION] === revision) return;
    await this.#options.tools.client
      .resource('deployments')
      .patch(deployment.metadata.name ?? '', deployment.metadata.namespace, {
        type: 'merge',
        body: { metadata: { annotations: { [REVISION_ANNOTATION]: revision } } },
      });
  }

  async #scale(deployment: Deployment, steps: readonly ScaleStep[]): Promise<void> {
    const { client, events } = this.#options.tools;
    for (const { set, replicas } of steps) {
      const before = replicasOf(set);
      await client.resource('replicasets').update({
        ...set,
        metadata: {
          ...set.metadata,
          annotations: { ...set.metadata.annotations, ...sizeAnnotations(deployment) },
        },
        spec: { ...set.spec, replicas },
      });
      if (before !== replicas)
        events.record(
          deployment,
          'Normal',
          'ScalingReplicaSet',
          `Scaled ${before < replicas ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${replicas}`,
        );
    }
  }

  async #finish(
    deployment: Deployment,
    newSet: NewSet,
    oldSets: readonly ReplicaSet[],
  ): Promise<ReconcileResult | undefined> {
    if (isComplete(deployment, deployment.status ?? {})) await this.#cleanUp(deployment, oldSets);
    return this.#writeStatus(deployment, newSet, [...oldSets, newSet.set]);
  }

  /** Sets beyond revisionHistoryLimit go, the oldest revisions first, as far as they are empty. */
  async #cleanUp(deployment: Deployment, oldSets: readonly ReplicaSet[]): Promise<void> {
    const limit = deployment.spec.revisionHistoryLimit ?? 10;
    const live = oldSets
      .filter((set) => set.metadata.deletionTimestamp === undefined)
      .toSorted((a, b) => revisionOf(a) - revisionOf(b));
    for (const set of live.slice(0, Math.max(0, live.length - limit)))
      if ((set.status?.replicas ?? 0) === 0 && replicasOf(set) === 0)
        await this.#options.tools.client
          .resource('replicasets')
          .delete(set.metadata.name ?? '', set.metadata.namespace);
  }

  async #writeStatus(
    deployment: Deployment,
    newSet: NewSet | undefined,
    all: readonly ReplicaSet[],
  ): Promise<ReconcileResult | undefined> {
    const now = this.#options.clock.wallNow();
    const status = deploymentStatus(deployment, newSet, all, now);
    if (!equalJson(status, deployment.status))
      await this.#options.tools.client
        .resource('deployments')
        .patch(deployment.metadata.name ?? '', deployment.metadata.namespace, {
          type: 'json',
          body: [{ op: 'add', path: '/status', value: status }],
          subresource: 'status',
        });
    const afterMs = deadlineInMs(deployment, status, now);
    return afterMs === undefined ? undefined : { afterMs };
  }

  async #claimSets(deployment: Deployment): Promise<readonly ReplicaSet[]> {
    const { setIndex, tools } = this.#options;
    const own = setIndex
      .get(deployment.metadata.uid ?? '')
      .filter((set) => matchesSelector(deployment.spec.selector, set.metadata.labels));
    if (deployment.metadata.deletionTimestamp !== undefined) return own;
    const orphans = setIndex
      .get(`orphans of ${deployment.metadata.namespace}`)
      .filter(
        (set) =>
          set.metadata.deletionTimestamp === undefined &&
          matchesSelector(deployment.spec.selector, set.metadata.labels),
      );
    const adopted = await Promise.all(
      orphans.map((set) =>
        tools.client
          .resource('replicasets')
          .patch(set.metadata.name ?? '', set.metadata.namespace, {
            type: 'strategic',
            body: {
              metadata: {
                uid: set.metadata.uid,
                ownerReferences: [controllerReference(deployment)],
              },
            },
          }),
      ),
    );
    return [...own, ...adopted];
  }
}

/** A set that was there before. */
function found(set: ReplicaSet | undefined): NewSet | undefined {
  return set === undefined ? undefined : { set, isCreated: false };
}

/** Somebody changed `spec.replicas` since the sets were last sized. */
function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  const active = sets.filter((set) => replicasOf(set) > 0);
  return totalReplicas(active) > 0 && active.some((set) => !isCurrentSize(deployment, set));
}

function isCurrentSize(deployment: Deployment, set: ReplicaSet): boolean {
  const noted = set.metadata.annotations?.[DESIRED_ANNOTATION];
  return noted === undefined || noted === String(deployment.spec.replicas ?? 0);
}
