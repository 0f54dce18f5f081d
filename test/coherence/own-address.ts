import net, { type NetConnectOpts } from 'node:net';

const PROXIES = /^127\.0\.2\.\d+$/;

/** From now on this process connects to the proxies of peers from an address of its own, by which they know it. */
export function connectToPeersFrom(host: string): void {
  const connect = net.connect as (options: NetConnectOpts, onConnect?: () => void) => net.Socket;
  const fromHost = (options: NetConnectOpts, onConnect?: () => void): net.Socket => {
    const isPeer = 'port' in options && PROXIES.test(options.host ?? '');
    return connect(isPeer ? { ...options, localAddress: host } : options, onConnect);
  };
  net.connect = fromHost as typeof net.connect;
}
