import { describe, expect, it } from 'vitest';
import { missingPackages } from './redis-debian.js';

describe('missingPackages', () => {
  it('names what is not installed, and leaves updates of what is alone', () => {
    const simulation = [
      'NOTE: This is only a simulation!',
      'Inst libc6 [2.36-9+deb12u10] (2.36-9+deb12u14 Debian:12/oldstable [amd64])',
      'Inst libjemalloc2 (5.3.0-1 Debian:12.15/oldstable [amd64])',
      'Inst redis-tools (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64])',
      'Inst redis-server (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64])',
      'Conf libjemalloc2 (5.3.0-1 Debian:12.15/oldstable [amd64])',
      '',
    ].join('\n');
    expect(missingPackages(simulation)).toEqual(['redis-server', 'redis-tools', 'libjemalloc2']);
  });

  it('names Redis itself where it is installed already', () => {
    expect(missingPackages('redis-server is already the newest version (5:7.0.15-1~deb12u10).\n')).toEqual([
      'redis-server',
      'redis-tools',
    ]);
  });
});
