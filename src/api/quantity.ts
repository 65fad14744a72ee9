/** Kubernetes resource quantities (apimachinery/pkg/api/resource): `100m`, `50Mi`, `1e3`. */
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(n|u|m|k|Ki|Mi|Gi|Ti|Pi|Ei|M|G|T|P|E|[eE][+-]?\d+)?$/;

const SCALE: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

export function isQuantity(text: string): boolean {
  return QUANTITY.test(text);
}

/** The value in whole units, thousandths rounded up as Kubernetes does for CPU; 0 for what is no quantity. */
export function quantityValue(text: string): number {
  const match = QUANTITY.exec(text);
  if (match === null) return 0;
  const suffix = match[2] ?? '';
  const scale = SCALE[suffix] ?? (suffix === '' ? 1 : 10 ** Number(suffix.slice(1)));
  return Math.ceil(Number((Number(match[1]) * scale * 1000).toFixed(6))) / 1000;
}
