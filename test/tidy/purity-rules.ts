/**
 * Time and chance come in through ports, so that a test and the simulator can own them. Only `node/` and `cli/`, where a
 * process is put together, touch the real ones. Names are found in the syntax tree: a comment or a string is no clock.
 */
import ts from 'typescript';
import type { Finding, Rule, Source } from './source.js';
import { findingAt, folderOf, importsOf, isProduct, walk } from './source.js';

interface Forbidden {
  /** Names that are reached without an owner, or through globalThis. */
  readonly globals: ReadonlySet<string>;
  /** Names that are reached through this owner: `Date` has `now`. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** Names that are forbidden whoever owns them, and as named imports. */
  readonly anyOwner: ReadonlySet<string>;
  /** Modules that have nothing else to offer. */
  readonly modules: ReadonlySet<string>;
  readonly todo: string;
}

const clock: Forbidden = {
  globals: new Set(['setTimeout', 'setInterval', 'setImmediate']),
  members: new Map([
    ['Date', new Set(['now'])],
    ['performance', new Set(['now', 'timeOrigin', 'mark', 'measure'])],
    ['process', new Set(['hrtime', 'uptime'])],
    ['AbortSignal', new Set(['timeout'])],
    ['Temporal', new Set(['Now'])],
  ]),
  anyOwner: new Set(['hrtime']),
  modules: new Set(['timers', 'timers/promises']),
  todo: 'take the Clock port of src/core/',
};

const chance: Forbidden = {
  globals: new Set(),
  members: new Map([['Math', new Set(['random'])]]),
  anyOwner: new Set([
    'randomBytes',
    'pseudoRandomBytes',
    'randomFill',
    'randomFillSync',
    'randomInt',
    'randomUUID',
    'getRandomValues',
  ]),
  modules: new Set(),
  todo: 'take the Chance port of src/core/',
};

const globalOwners: ReadonlySet<string> = new Set(['globalThis', 'global']);
const mayTouch: readonly string[] = ['node', 'cli'];

const ownsItsTime = (source: Source): boolean => isProduct(source.path) && !mayTouch.includes(folderOf(source.path));

const noClock: Rule = {
  name: 'no clock and no timer outside node, cli and tests',
  check: (sources) => sources.filter(ownsItsTime).flatMap((source) => [...uses(source, clock), ...readsOfNow(source)]),
};

const noChance: Rule = {
  name: 'no randomness outside node, cli and tests',
  check: (sources) => sources.filter(ownsItsTime).flatMap((source) => uses(source, chance)),
};

function uses(source: Source, forbidden: Forbidden): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { specifier, line, names, typeOnly } of importsOf(source)) {
    if (typeOnly) continue;
    const bad = forbidden.modules.has(specifier.replace(/^node:/, ''))
      ? specifier
      : names.find((name) => forbidden.anyOwner.has(name));
    if (bad !== undefined) {
      findings.push({ path: source.path, line, wrong: `imports ${bad}`, todo: forbidden.todo });
    }
  }
  walk(source, (node) => {
    const used = nameUsed(node, forbidden);
    if (used !== undefined) findings.push(findingAt(source, node, `uses ${used}`, forbidden.todo));
  });
  return findings;
}

function nameUsed(node: ts.Node, forbidden: Forbidden): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return memberUsed(node.expression, node.name.text, forbidden);
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return memberUsed(node.expression, node.argumentExpression.text, forbidden);
  }
  if (ts.isBindingElement(node)) return bindingUsed(node, forbidden);
  if (ts.isIdentifier(node) && forbidden.globals.has(node.text) && isReference(node)) return node.text;
  return undefined;
}

function memberUsed(owner: ts.Expression, name: string, forbidden: Forbidden): string | undefined {
  const ownerName = lastName(owner);
  if (forbidden.members.get(ownerName)?.has(name) === true) return `${ownerName}.${name}`;
  if (globalOwners.has(ownerName) && forbidden.globals.has(name)) return `${ownerName}.${name}`;
  return forbidden.anyOwner.has(name) ? name : undefined;
}

/** `const { now } = Date` takes the clock as much as `Date.now` does. */
function bindingUsed(node: ts.BindingElement, forbidden: Forbidden): string | undefined {
  const declaration = node.parent.parent;
  const name = node.propertyName ?? node.name;
  if (!ts.isVariableDeclaration(declaration) || declaration.initializer === undefined) return undefined;
  return ts.isIdentifier(name) ? memberUsed(declaration.initializer, name.text, forbidden) : undefined;
}

/** `Date` of both `Date` and `globalThis.Date`. */
function lastName(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  return ts.isPropertyAccessExpression(node) ? node.name.text : '';
}

/** False where the name only labels something, as in `socket.setTimeout(0)`, `{ setTimeout: 1 }` or an interface. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isQualifiedName(parent)) return false;
  const isName = 'name' in parent && parent.name === node;
  const isOldName = 'propertyName' in parent && parent.propertyName === node;
  return !(isName || isOldName);
}

function readsOfNow(source: Source): readonly Finding[] {
  const findings: Finding[] = [];
  walk(source, (node) => {
    const isNow = (ts.isNewExpression(node) && (node.arguments?.length ?? 0) === 0) || ts.isCallExpression(node);
    if (isNow && lastName(node.expression) === 'Date') {
      findings.push(findingAt(source, node, 'reads the wall clock through Date', clock.todo));
    }
  });
  return findings;
}

export const purityRules: readonly Rule[] = [noClock, noChance];
