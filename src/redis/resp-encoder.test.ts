import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RedisArgument, RespEncoder } from './resp-encoder.js';
import { type Reply, RespParser } from './resp-parser.js';

/** A command goes over the wire as an array of texts, which a parser reads. */
function commandsIn(wire: Buffer): unknown[] {
  const commands: Reply[] = [];
  new RespParser({ onReply: (reply) => commands.push(reply), onPush: () => {} }).read(wire);
  return commands.map((command) => (command as readonly Buffer[]).map((argument) => argument.toString('latin1')));
}

const bytesOf = (argument: RedisArgument) => Buffer.from(argument as Uint8Array).toString('latin1');
const argument: fc.Arbitrary<RedisArgument> = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  // Halves of surrogate pairs, too.
  fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 150 }),
  fc.uint8Array({ maxLength: 200 }),
);

describe('RespEncoder', () => {
  it('writes every command so that a server reads it, whatever is in it', () => {
    const commands = fc.array(fc.array(argument, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(commands, (all) => {
        const encoder = new RespEncoder();
        for (const command of all) encoder.add(command);
        expect(encoder.length).toBeGreaterThan(0);
        encoder.drain((wire) => {
          expect(commandsIn(wire)).toEqual(all.map((command) => command.map(bytesOf)));
          return true;
        });
        expect(encoder.length).toBe(0);
      }),
    );
  });

  it('leaves alone what is still to be sent, and writes the next commands elsewhere', () => {
    const encoder = new RespEncoder();
    encoder.add(['GET', 'first']);
    let sent: Buffer = Buffer.alloc(0);
    encoder.drain((wire) => {
      sent = wire;
      return false;
    });
    encoder.add(['GET', 'other']);
    expect(commandsIn(sent)).toEqual([['GET', 'first']]);
    encoder.drain((wire) => {
      expect(commandsIn(wire)).toEqual([['GET', 'other']]);
      return true;
    });
  });

  it('takes commands of any size', () => {
    const encoder = new RespEncoder();
    const large = Buffer.alloc(1_000_000, 'x');
    for (let i = 0; i < 3; i++) encoder.add(['SET', `key ${i}`, large]);
    encoder.drain((wire) => {
      expect(commandsIn(wire).map((command) => (command as string[])[1])).toEqual(['key 0', 'key 1', 'key 2']);
      expect(wire.length).toBeGreaterThan(3_000_000);
      return true;
    });
  });
});
