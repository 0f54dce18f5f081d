import { describe, expect, it } from 'vitest';
import { startDaemon } from './daemon.js';

const options = { version: '0.0.0', onMistake: () => {} };

describe('the daemon', () => {
  it.each([
    [null, 'the configuration', /^the configuration: /],
    [{ cash: {} }, 'cash', /^cash: is not a field that exists/],
    [{ http: { listen: 'here' } }, 'http.listen', /^http\.listen: must look like 127\.0\.0\.1:9464/],
    [{ http: { listen: '127.0.0.1:0', port: 1 } }, 'http.port', /^http\.port: is not a field/],
    [{ cache: { local: { ttl: -1 } } }, 'local.ttl', /local\.ttl/],
    [{ cache: { peers: { listen: '127.0.0.1:1', secret: 'short' } } }, 'peers.secret', /peers\.secret: must have/],
  ])('refuses %j, and names the field', async (config, field, complaint) => {
    await expect(startDaemon(config, options)).rejects.toMatchObject({
      code: 'invalid-config',
      field,
      message: expect.stringMatching(complaint),
    });
  });
});
