/** What a file may look like, whatever it is about. */
import ts from 'typescript';
import type { Finding, Rule, Source } from './source.js';
import { findingAt, isProduct, isTest, walk } from './source.js';

const maxLines = 400;

/** Files that may be longer, each with the reason. A file that is short again loses its line. */
const longFiles: ReadonlyMap<string, string> = new Map([]);

const fileName = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
const drawers: readonly string[] = ['types', 'interfaces', 'utils', 'util', 'helpers'];
// The classes of one letter keep this line from finding itself.
const leftover = /\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/;
const testFunctions: ReadonlySet<string> = new Set(['it', 'test', 'describe', 'suite']);
const skipping: ReadonlySet<string> = new Set(['skip', 'only', 'todo', 'skipIf', 'runIf']);

/** A finding at every node of which `say` has something to say. */
function eachNode(
  sources: readonly Source[],
  say: (node: ts.Node) => { wrong: string; todo: string } | undefined,
): readonly Finding[] {
  return sources.flatMap((source) => {
    const findings: Finding[] = [];
    walk(source, (node) => {
      const said = say(node);
      if (said !== undefined) findings.push(findingAt(source, node, said.wrong, said.todo));
    });
    return findings;
  });
}

const product = (sources: readonly Source[]): readonly Source[] => sources.filter((source) => isProduct(source.path));

const noAny: Rule = {
  name: 'nobody writes any',
  check: (sources) =>
    eachNode(sources, (node) =>
      node.kind === ts.SyntaxKind.AnyKeyword
        ? { wrong: 'has the type any', todo: 'name the type, or take unknown and narrow it' }
        : undefined,
    ),
};

const noEnum: Rule = {
  name: 'src has no enums',
  check: (sources) =>
    eachNode(product(sources), (node) =>
      ts.isEnumDeclaration(node)
        ? { wrong: `enum ${node.name.text}`, todo: 'write a union of string literals' }
        : undefined,
    ),
};

const noParameterProperty: Rule = {
  name: 'src has no parameter properties',
  check: (sources) =>
    eachNode(product(sources), (node) =>
      ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)
        ? { wrong: `parameter property ${node.name.getText()}`, todo: 'declare a #private field and assign it' }
        : undefined,
    ),
};

const hashPrivate: Rule = {
  name: 'src hides members with #, not with a modifier',
  check: (sources) =>
    eachNode(product(sources), (node) => {
      // A constructor has no name to put a # before, so there `private` is the only way.
      if (!ts.isClassElement(node) || ts.isConstructorDeclaration(node)) return undefined;
      const modifier = [ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.PublicKeyword].find((kind) =>
        hasModifier(node, kind),
      );
      if (modifier === undefined) return undefined;
      return {
        wrong: `${ts.tokenToString(modifier)} member`,
        todo: 'name it #member, or leave it public without a word',
      };
    }),
};

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === kind);
}

const noDefaultExport: Rule = {
  name: 'src has no default exports',
  check: (sources) =>
    eachNode(product(sources), (node) =>
      exportsDefault(node) ? { wrong: 'default export', todo: 'export it by its name' } : undefined,
    ),
};

function exportsDefault(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === 'default';
  return (
    (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) &&
    hasModifier(node, ts.SyntaxKind.DefaultKeyword)
  );
}

const noSkippedTest: Rule = {
  name: 'no test is skipped, focused or left for later',
  check: (sources) =>
    eachNode(
      sources.filter((source) => isTest(source.path)),
      (node) => {
        const how = skips(node);
        return how === undefined
          ? undefined
          : { wrong: `${how} in a test`, todo: 'make it run and pass, or delete it and say why in the commit' };
      },
    ),
};

/** `it.skip`, `describe.skipIf(x)`, `it.concurrent.only`, and `it('name', { skip: true }, ...)`. */
function skips(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node) && skipping.has(node.name.text)) {
    const root = rootName(node);
    return testFunctions.has(root) ? `${root}.${node.name.text}` : undefined;
  }
  if (!ts.isPropertyAssignment(node) || !ts.isIdentifier(node.name) || !skipping.has(node.name.text)) return undefined;
  const call = node.parent.parent;
  const isOption = ts.isCallExpression(call) && testFunctions.has(rootName(call.expression));
  return isOption ? `option ${node.name.text}` : undefined;
}

function rootName(node: ts.Expression): string {
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return rootName(node.expression);
  return ts.isIdentifier(node) ? node.text : '';
}

const shortFiles: Rule = {
  name: `no file is longer than ${maxLines} lines without a reason`,
  check: (sources) =>
    sources.flatMap(({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      const isListed = longFiles.has(path);
      if (lines > maxLines && !isListed) {
        const todo = 'split it along a second idea, or add it with its reason to longFiles in test/tidy/style-rules.ts';
        return [{ path, line: maxLines + 1, wrong: `${lines} lines, more than ${maxLines}`, todo }];
      }
      if (lines <= maxLines && isListed) {
        return [{ path, line: 1, wrong: 'is short, yet listed as long', todo: 'take it out of longFiles' }];
      }
      return [];
    }),
};

const kebabCase: Rule = {
  name: 'files and folders are named in kebab-case',
  check: (sources) =>
    sources
      .filter(({ path }) => path.split('/').some((part) => !fileName.test(part)))
      .map(({ path }) => ({ path, line: 1, wrong: 'is not kebab-case', todo: 'rename it, its noun first' })),
};

const noDrawer: Rule = {
  name: 'no folder is a drawer for leftovers',
  check: (sources) =>
    sources.flatMap(({ path }) => {
      const drawer = path.split('/').find((part) => drawers.includes(part));
      if (drawer === undefined) return [];
      return [{ path, line: 1, wrong: `lies in a folder '${drawer}'`, todo: 'move it to the one who needs it' }];
    }),
};

const noLeftover: Rule = {
  name: 'nobody leaves a note for later in the code',
  check: (sources) =>
    sources.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const note = leftover.exec(line)?.[0];
        if (note === undefined) return [];
        return [
          { path, line: index + 1, wrong: `says ${note}`, todo: 'do it now, or open an issue and delete the note' },
        ];
      }),
    ),
};

export const styleRules: readonly Rule[] = [
  noAny,
  noEnum,
  noParameterProperty,
  hashPrivate,
  noDefaultExport,
  noSkippedTest,
  shortFiles,
  kebabCase,
  noDrawer,
  noLeftover,
];
