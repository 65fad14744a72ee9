import { cloneJson, isJsonObject, type JsonObject, setOwn } from '../json.ts';
import {
  type Child,
  childrenOf,
  type FieldTree,
  isEmptyTree,
  type ValueSchema,
} from './field-tree.ts';

/** The live value with everything the configuration says laid over it. */
export function mergeApplied(live: unknown, applied: unknown, schema: ValueSchema): unknown {
  const children = childrenOf(applied, schema);
  if (children === undefined || live === undefined || live === null) return cloneJson(applied);
  if (Array.isArray(applied)) return mergeList(live, children, schema);
  if (!isJsonObject(live)) return cloneJson(applied);
  const result: JsonObject = { ...live };
  for (const child of children) {
    const name = child.key.slice(2);
    const current = Object.hasOwn(live, name) ? live[name] : undefined;
    setOwn(result, name, mergeApplied(current, child.value, child.schema));
  }
  return result;
}

function mergeList(live: unknown, applied: readonly Child[], schema: ValueSchema): unknown[] {
  const wanted = new Map(applied.map((child) => [child.key, child]));
  const result: unknown[] = [];
  for (const child of childrenOf(live, schema) ?? []) {
    const over = wanted.get(child.key);
    wanted.delete(child.key);
    result.push(
      over === undefined ? child.value : mergeApplied(child.value, over.value, over.schema),
    );
  }
  for (const child of wanted.values()) result.push(cloneJson(child.value));
  return result;
}

/** The value without the fields of the tree. Containers that lose their last member go, too. */
export function removeFields(value: unknown, tree: FieldTree, schema: ValueSchema): unknown {
  const children = childrenOf(value, schema);
  if (children === undefined) return value;
  const kept: { child: Child; value: unknown }[] = [];
  for (const child of children) {
    const below = Object.hasOwn(tree, child.key) ? tree[child.key] : undefined;
    if (below === undefined) kept.push({ child, value: child.value });
    else if (!isEmptyTree(below) && !Object.hasOwn(below, '.')) {
      const rest = removeFields(child.value, below, child.schema);
      if (!isHollow(rest) || isHollow(child.value)) kept.push({ child, value: rest });
    }
  }
  if (Array.isArray(value)) return kept.map((item) => item.value);
  const result: JsonObject = {};
  for (const item of kept) setOwn(result, item.child.key.slice(2), item.value);
  return result;
}

function isHollow(value: unknown): boolean {
  return Array.isArray(value)
    ? value.length === 0
    : isJsonObject(value) && Object.keys(value).length === 0;
}
