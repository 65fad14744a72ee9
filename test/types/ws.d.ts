// @kubernetes/client-node names types of ws, which it brings without them. Nothing here uses them.
declare module 'ws' {
  export class WebSocket {
    readonly url: string;
  }
  export type ClientOptions = object;
}
