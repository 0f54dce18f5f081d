/** Values to bytes and back, with compression or without, in a process of its own. */
import { MsgpackCodec } from '../../src/codec/msgpack-codec.js';
import { type BenchLocation, makeLocation } from '../data/locations.js';

export interface EncodingOptions {
  readonly isCompressed: boolean;
  /** Of the encoded values. Each is a list of locations, as many as it takes. */
  readonly sizesBytes: readonly number[];
}

interface Sample {
  readonly value: readonly BenchLocation[];
  readonly bytes: Uint8Array;
}

/** Between two looks at the clock. */
const CHUNK = 32;

export function open({ isCompressed, sizesBytes }: EncodingOptions) {
  const codec = isCompressed ? new MsgpackCodec({ minBytes: 1 }) : new MsgpackCodec();
  const samples = new Map(
    sizesBytes.map((sizeBytes): [number, Sample] => {
      const value = locationsOf(sizeBytes);
      return [sizeBytes, { value, bytes: codec.encode(value) }];
    }),
  );
  const sampleOf = (sizeBytes: number): Sample => {
    const sample = samples.get(sizeBytes);
    if (sample === undefined) throw new Error(`there is no value of ${sizeBytes} bytes`);
    return sample;
  };

  return {
    keptBytes: (sizeBytes: number): number => sampleOf(sizeBytes).bytes.length,

    /** ns per value. */
    runEncode(sizeBytes: number, ms: number): number {
      const { value, bytes } = sampleOf(sizeBytes);
      return timed(ms, () => {
        if (codec.encode(value).length !== bytes.length) throw new Error('the same value makes other bytes');
      });
    },

    /** ns per value, for one reader, as what Redis answered is decoded. */
    runDecode(sizeBytes: number, ms: number): number {
      const { value, bytes } = sampleOf(sizeBytes);
      return timed(ms, () => {
        const got = codec.decode(bytes, 'one').value as readonly BenchLocation[];
        if (got.at(-1)?.odometerKm !== value.length - 1) throw new Error('another value comes back');
      });
    },
  };
}

/** What a map or a list of nearby vehicles is made of. */
function locationsOf(sizeBytes: number): readonly BenchLocation[] {
  const plain = new MsgpackCodec();
  const locations: BenchLocation[] = [];
  for (let bytes = 0; bytes < sizeBytes; ) {
    const location = makeLocation(locations.length);
    locations.push(location);
    bytes += plain.encode(location).length;
  }
  return locations;
}

/** ns per call of what is repeated for so long. */
function timed(ms: number, once: () => void): number {
  const startedMs = performance.now();
  let calls = 0;
  let spentMs = 0;
  while (spentMs < ms) {
    for (let i = 0; i < CHUNK; i++) once();
    calls += CHUNK;
    spentMs = performance.now() - startedMs;
  }
  return (spentMs * 1e6) / calls;
}
