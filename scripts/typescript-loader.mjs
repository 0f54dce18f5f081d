/**
 * `node --import ./scripts/typescript-loader.mjs file.ts` runs TypeScript from source, as `--import tsx` does, but leaves no
 * cache in the temporary folder: what we start cleans up behind itself. It costs about a third of a second per process.
 */
process.env.TSX_DISABLE_CACHE = '1';
await import('tsx');
