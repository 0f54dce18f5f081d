import type { Call } from './call.js';
import type { Hlc } from './hlc.js';
import type { LeaseAnswer, LeaseOffice, LeaseToken } from './lease.js';

/**
 * An office with another that stands in for it, key by key, where it cannot be asked. Nodes of which some reach the first
 * and some do not ask different offices: two of them may load the same key at a time, and no more.
 */
export function officeWithStandIn(office: LeaseOffice, standIn: LeaseOffice): LeaseOffice {
  const both = (say: (one: LeaseOffice) => Promise<void>) => Promise.all([say(office), say(standIn)]).then(() => {});
  return {
    async acquire(keys: readonly string[], token: LeaseToken, since: Hlc, call: Call): Promise<readonly LeaseAnswer[]> {
      const answers = [...(await office.acquire(keys, token, since, call))];
      const open = answers.flatMap(({ kind }, at) => (kind === 'unavailable' ? [at] : []));
      if (open.length === 0) return answers;
      const some = open.map((at) => keys[at] as string);
      const others = await standIn.acquire(some, token, since, call);
      open.forEach((at, i) => {
        answers[at] = others[i] as LeaseAnswer;
      });
      return answers;
    },
    // Each knows what it has granted, and of what it has not it takes no notice.
    renew: (keys, token, call) => both((one) => one.renew(keys, token, call)),
    release: (keys, token, call) => both((one) => one.release(keys, token, call)),
  };
}
