import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser of this machine; undefined where there is none. */
export function installedChromium(): string | undefined {
  return PROGRAMS.find((program) => spawnSync(program, ['--version']).status === 0);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly colours: 'light' | 'dark';
  /** As if on this medium. Absent: on the screen, and printed as it would be. */
  readonly media?: 'print';
}

/**
 * One page in a headless Chromium, driven by the DevTools protocol over a pipe (messages end with NUL). Owns the
 * process and its profile.
 */
export class ChromiumPage implements AsyncDisposable {
  /** What a developer would see in the console, errors of the page's own included. */
  readonly complaints: string[] = [];
  /** Everything the page asked for, itself included. */
  readonly requested: string[] = [];
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #profile: string;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #waiting = new Map<string, () => void>();
  #nextId = 1;
  #session: string | undefined;
  #rest = '';

  static async launch(program: string): Promise<ChromiumPage> {
    const page = new ChromiumPage(program);
    await page.#attach();
    return page;
  }

  private constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'podwire-chromium-'));
    const flags = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--hide-scrollbars',
      '--remote-debugging-pipe',
      `--user-data-dir=${this.#profile}`,
    ];
    this.#child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    this.#input = this.#child.stdio[3] as Writable;
    const output = this.#child.stdio[4] as Readable;
    output.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    this.#input.on('error', () => {});
  }

  async open(url: string): Promise<void> {
    const loaded = this.#event('Page.loadEventFired');
    await this.#ask('Page.navigate', { url });
    await loaded;
  }

  async show({ width, height, colours, media }: View): Promise<void> {
    const size = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#ask('Emulation.setDeviceMetricsOverride', size);
    const features = [{ name: 'prefers-color-scheme', value: colours }];
    await this.#ask('Emulation.setEmulatedMedia', { media: media ?? '', features });
  }

  /** The value of an expression in the page; it has to be JSON. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#ask('Runtime.evaluate', { expression, returnByValue: true });
    if (answer['exceptionDetails'] !== undefined)
      throw new Error(`the page threw: ${JSON.stringify(answer['exceptionDetails'])}`);
    return (answer['result'] as { value: T }).value;
  }

  /** A PNG of the whole page. */
  async screenshot(): Promise<Buffer> {
    const answer = await this.#ask('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(answer['data'] as string, 'base64');
  }

  /** As the page would be printed on A4, with its own margins. */
  async pdf(): Promise<Buffer> {
    const paper = { paperWidth: 8.27, paperHeight: 11.69, preferCSSPageSize: true };
    const answer = await this.#ask('Page.printToPDF', { ...paper, printBackground: true });
    return Buffer.from(answer['data'] as string, 'base64');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
    this.#child.stdio[4]?.destroy();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async #attach(): Promise<void> {
    const { targetId } = await this.#ask('Target.createTarget', { url: 'about:blank' });
    const attached = await this.#ask('Target.attachToTarget', { targetId, flatten: true });
    this.#session = attached['sessionId'] as string;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.#ask(`${domain}.enable`);
  }

  #ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = this.#nextId++;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return new Promise((resolve, reject) => {
      this.#answers.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
  }

  #event(method: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(method, resolve);
    });
  }

  #read(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const message of messages) this.#hear(JSON.parse(message) as Message);
  }

  #hear(message: Message): void {
    const { id, method, params = {} } = message;
    if (id !== undefined) {
      this.#answers.get(id)?.(message);
      this.#answers.delete(id);
    } else if (method === 'Network.requestWillBeSent')
      this.requested.push((params['request'] as { url: string }).url);
    else if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
      this.complaints.push(JSON.stringify(params));
    else if (method === 'Runtime.consoleAPICalled') this.complaints.push(JSON.stringify(params));
    else if (method !== undefined) this.#waiting.get(method)?.();
  }
}
