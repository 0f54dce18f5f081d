import { randomBytes } from 'node:crypto';
import { startFakeGoogleServer } from '../../source/fake-google-server.js';
import { systemClock } from '../system-clock.js';

/** Where the demo asks for travel times. */
export interface DemoRoutes {
  readonly url: string;
  readonly apiKey: string;
  close(): Promise<void>;
}

/** About what an API on the internet takes. */
const ANSWER_MS = 60;

/** A stand-in for the routes API on this machine: a demo asks nobody else anything. */
export async function startDemoRoutes(): Promise<DemoRoutes> {
  const apiKey = randomBytes(12).toString('hex');
  const server = await startFakeGoogleServer({ clock: systemClock, apiKey });
  server.behave({ delayMs: ANSWER_MS });
  return { url: server.url, apiKey, close: () => server.close() };
}
