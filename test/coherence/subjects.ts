import type { Subject } from './subject.js';

/** Each is loaded only where it runs: a peer that breaks its process, or its import, breaks nobody else. */
const subjects: Readonly<Record<string, () => Promise<{ readonly subject: Subject }>>> = {
  'fleetflow-cache': () => import('./subjects/fleetflow-cache.js'),
  bentocache: () => import('./subjects/bentocache.js'),
  cacheable: () => import('./subjects/cacheable.js'),
  'cache-manager': () => import('./subjects/cache-manager.js'),
  'async-cache-dedupe': () => import('./subjects/async-cache-dedupe.js'),
  'layered-loader': () => import('./subjects/layered-loader.js'),
  cachified: () => import('./subjects/cachified.js'),
  ocache: () => import('./subjects/ocache.js'),
};

/** What `--subjects` calls ours. */
export const OURS = 'fleetflow-cache';

export const subjectNames: readonly string[] = Object.keys(subjects);

export async function findSubject(name: string): Promise<Subject> {
  const load = subjects[name];
  if (load === undefined) throw new Error(`There is no subject ${name}; there are ${subjectNames.join(', ')}.`);
  return (await load()).subject;
}
