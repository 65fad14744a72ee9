import { Agent, request } from 'node:http';

export interface ApiAnswer {
  readonly code: number;
  readonly body: ApiBody;
}

/** As much of any object, list or Status as tests look at. */
export interface ApiBody {
  readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
  readonly message?: string;
  readonly items?: readonly unknown[];
}

/** The API through its plain HTTP port, over connections that are kept. */
export class ApiClient implements Disposable {
  readonly url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(url: string) {
    this.url = url;
  }

  /** Rejects when the connection breaks: then nobody knows what became of the request. */
  ask(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<ApiAnswer> {
    return new Promise((settle, reject) => {
      const headers = { 'content-type': contentType };
      const outgoing = request(
        `${this.url}${path}`,
        { method, agent: this.#agent, headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.once('error', reject);
          response.once('end', () =>
            settle({ code: response.statusCode ?? 0, body: JSON.parse(text) as ApiBody }),
          );
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** A list's items, or throws with what the server says. */
  async list<T>(path: string): Promise<readonly T[]> {
    const { code, body } = await this.ask('GET', path);
    if (code !== 200) throw new Error(`GET ${path}: ${code} ${body.message}`);
    return (body.items ?? []) as readonly T[];
  }

  /** A merge patch; throws where it is refused. */
  async patch(path: string, body: unknown): Promise<void> {
    const answer = await this.ask('PATCH', path, body, 'application/merge-patch+json');
    if (answer.code !== 200)
      throw new Error(`PATCH ${path}: ${answer.code} ${answer.body.message}`);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
