import type { ServerResponse } from 'node:http';

/** What every answer carries: nothing here is for another site, and nothing is to be guessed or kept. */
const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export function send(response: ServerResponse, { status, contentType, body, headers }: Reply): void {
  response.writeHead(status, {
    ...headersFor(contentType),
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

export function headersFor(contentType: string): Readonly<Record<string, string>> {
  return { ...COMMON_HEADERS, 'content-security-policy': PAGE_POLICY, 'content-type': contentType };
}

export function json(status: number, value: unknown): Reply {
  return { status, contentType: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` };
}

/** `{ "error": { "code", "message" } }`, as every error of this server looks. */
export function failure(status: number, code: string, message: string, headers: Reply['headers'] = {}): Reply {
  return { ...json(status, { error: { code, message } }), headers };
}
