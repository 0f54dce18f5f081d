import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { findFreePorts } from '../../src/cli/servers/free-port.js';
import { waitUntil } from '../../src/cli/servers/wait.js';
import { TcpProxy } from './tcp-proxy.js';

const SUBSCRIBE = '*2\r\n$10\r\nSSUBSCRIBE\r\n$1\r\nc\r\n';
const boundMs = 10_000;
const ends: (() => Promise<unknown>)[] = [];

/** Says back what it is told, through a proxy. */
async function startEcho(): Promise<{ proxy: TcpProxy; open(): Promise<Client> }> {
  const [port = 0, proxyPort = 0] = await findFreePorts(2);
  const server: Server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const proxy = await TcpProxy.start({ host: '127.0.0.1', port: proxyPort }, { host: '127.0.0.1', port });
  ends.push(() => proxy.close().then(() => server.close()));
  return { proxy, open: () => Client.open(proxyPort) };
}

class Client {
  heard = '';
  isOver = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.heard += text;
    });
    socket
      .on('error', () => {})
      .on('close', () => {
        this.isOver = true;
      });
    ends.push(async () => socket.destroy());
  }

  static async open(port: number): Promise<Client> {
    const socket = createConnection({ host: '127.0.0.1', port });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Client(socket);
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  hears(text: string): Promise<void> {
    return waitUntil({ what: `the echo of ${JSON.stringify(text)}`, boundMs }, () => this.heard.includes(text));
  }

  ends(): Promise<void> {
    return waitUntil({ what: 'the end of the connection', boundMs }, () => this.isOver);
  }
}

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe('TcpProxy', () => {
  it('lets everything pass as long as nobody says otherwise', async () => {
    const { open } = await startEcho();
    const client = await open();
    client.say('hello');
    await client.hears('hello');
  });

  it('keeps the replies of commands back until they are released, and those of the feed not', async () => {
    const { proxy, open } = await startEcho();
    const [commands, feed] = [await open(), await open()];
    feed.say(SUBSCRIBE);
    await feed.hears('SSUBSCRIBE');
    const hold = proxy.hold('commands');
    commands.say('held');
    await waitUntil({ what: 'the reply to be held', boundMs }, () => hold.kept().includes('held'));
    feed.say('passes');
    await feed.hears('passes');
    expect(commands.heard).toBe('');
    hold.release();
    await commands.hears('held');
  });

  it('knows a feed also when the command comes in pieces', async () => {
    const { proxy, open } = await startEcho();
    const client = await open();
    client.say(SUBSCRIBE.slice(0, 12));
    await client.hears(SUBSCRIBE.slice(0, 12));
    client.say(SUBSCRIBE.slice(12));
    await client.hears(SUBSCRIBE);
    proxy.cut('feed');
    await client.ends();
  });

  it('cuts and refuses the feed and leaves commands alone', async () => {
    const { proxy, open } = await startEcho();
    const [commands, feed] = [await open(), await open()];
    feed.say(SUBSCRIBE);
    await feed.hears('SSUBSCRIBE');
    proxy.refuse('feed');
    proxy.cut('feed');
    await feed.ends();
    const again = await open();
    again.say(SUBSCRIBE);
    await again.ends();
    commands.say('still here');
    await commands.hears('still here');
    proxy.accept();
    const accepted = await open();
    accepted.say(SUBSCRIBE);
    await accepted.hears('SSUBSCRIBE');
  });

  it('refuses whoever comes from an address, until it accepts again', async () => {
    const { proxy, open } = await startEcho();
    const before = await open();
    before.say('before');
    await before.hears('before');
    proxy.refuseFrom('127.0.0.1');
    await before.ends();
    proxy.accept();
    const after = await open();
    after.say('after');
    await after.hears('after');
  });
});
