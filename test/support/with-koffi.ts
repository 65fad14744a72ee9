import Module from 'node:module';

type Require = (this: unknown, request: string) => unknown;

/** What the engine uses of koffi to make calls. */
interface Koffi {
  load(path: null): { func(name: string, ...signature: unknown[]): Call };
  errno(): number;
}
type Call = (...values: number[]) => number;

/** Runs with another koffi in the place of the real one, for those that load it meanwhile. */
function withKoffi<T>(replace: (load: () => Koffi) => Koffi, run: () => T): T {
  const loader = Module.prototype as unknown as { require: Require };
  const { require } = loader;
  loader.require = function requireOther(request) {
    const load = (): unknown => Reflect.apply(require, this, [request]);
    return request === 'koffi' ? replace(() => load() as Koffi) : load();
  };
  try {
    return run();
  } finally {
    loader.require = require;
  }
}

/** As where npm found no koffi for the machine, or was told to leave optional dependencies out. */
export function withoutKoffi<T>(run: () => T): T {
  return withKoffi(() => {
    // Node's own words, which go on with everybody who asked.
    throw new Error("Cannot find module 'koffi'\nRequire stack:\n- /somewhere/system-calls.js");
  }, run);
}

/** As on a kernel that refuses this system call of number `refused` with `errno`. */
export function withRefusedCall<T>(refused: number, errno: number, run: () => T): T {
  let failure: number | undefined;
  const watch =
    (call: Call): Call =>
    (...values) => {
      failure = values[0] === refused ? errno : undefined;
      return failure === undefined ? call(...values) : -1;
    };
  return withKoffi((load) => {
    const koffi = load();
    return {
      ...koffi,
      load: (path) => {
        const library = koffi.load(path);
        return {
          func: (name, ...signature) => {
            const call = library.func(name, ...signature);
            return name === 'syscall' ? watch(call) : call;
          },
        };
      },
      errno: () => {
        const last = failure ?? koffi.errno();
        failure = undefined;
        return last;
      },
    };
  }, run);
}
