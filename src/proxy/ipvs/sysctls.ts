/** /proc/sys/net/ipv4/vs as far as it reaches decisions. Durations are in seconds, as there. */
export interface IpvsSysctls {
  /** 0: a SYN that meets an old entry stays with it; 1: it is rescheduled in TIME_WAIT and CLOSE. */
  conn_reuse_mode: number;
  /** Not 0: entries of a removed destination go at once; otherwise their packets are dropped. */
  expire_nodest_conn: number;
  /** Not 0: a template whose destination has weight 0 is invalid. */
  expire_quiescent_template: number;
  lblc_expiration: number;
  lblcr_expiration: number;
}

/** The kernel's defaults; kube-proxy sets expire_nodest_conn and expire_quiescent_template to 1. */
export const defaultSysctls: Readonly<IpvsSysctls> = {
  conn_reuse_mode: 1,
  expire_nodest_conn: 0,
  expire_quiescent_template: 0,
  lblc_expiration: 86_400,
  lblcr_expiration: 86_400,
};
