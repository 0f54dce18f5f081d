/**
 * `node --import ./bench/typescript-loader.mjs file.ts` runs TypeScript from source, and nothing but its types is taken
 * away. `tsx` keeps the names of functions with a call per closure, which would be measured along with our code, and
 * not with that of the others, which is built already.
 */
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
