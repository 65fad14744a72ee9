/** One reason of a decision, in the order it was found. Destinations are `address:port`. */
export type DecisionStep =
  | { readonly kind: 'service'; readonly service: string; readonly scheduler: string }
  | { readonly kind: 'no-service'; readonly reason: string }
  | {
      readonly kind: 'connection';
      readonly destination: string;
      readonly state: string;
      readonly verdict: 'kept' | 'rescheduled' | 'expired' | 'dropped';
      readonly reason: string;
    }
  | {
      readonly kind: 'template';
      readonly client: string;
      readonly verdict: 'used' | 'invalid' | 'made';
      readonly destination: string;
    }
  | {
      readonly kind: 'hash';
      /** 'hash_32' or 'hsiphash' */
      readonly hash: string;
      /** The number that was hashed: folded address plus port. */
      readonly input: number;
      readonly slot: number;
      readonly slots: number;
      readonly owner: string | undefined;
    }
  | {
      readonly kind: 'candidate';
      readonly destination: string;
      readonly weight: number;
      readonly activeConnections: number;
      readonly inactiveConnections: number;
      /** The number compared, before it is divided by the weight where the scheduler does so. */
      readonly load: number | undefined;
      readonly usable: boolean;
    }
  | { readonly kind: 'chosen'; readonly destination: string; readonly reason: string }
  | { readonly kind: 'none'; readonly reason: string };

/** Collects the steps of one decision when asked; without one, deciding allocates nothing for it. */
export type DecisionTrace = DecisionStep[];
