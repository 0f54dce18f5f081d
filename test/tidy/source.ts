/**
 * What the tidy rules read and what they say. A rule is a pure function: texts in, findings out, so that each one can be
 * shown a small bad sample (rules.test.ts).
 */
import ts from 'typescript';

export interface Source {
  /** Path from the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The parsed file, or undefined where it is not TypeScript or JavaScript. */
  readonly tree: ts.SourceFile | undefined;
}

export interface Finding {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly wrong: string;
  readonly todo: string;
}

export interface Rule {
  /** What the code base promises, as the name of a test. */
  readonly name: string;
  readonly check: (sources: readonly Source[]) => readonly Finding[];
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Names that are imported, as the other file calls them; `*` for all of it. */
  readonly names: readonly string[];
  /** True where nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
}

const scriptName = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const testName = /(?:^test\/|\.test\.ts$)/;

export function parseSource(path: string, text: string): Source {
  const tree = scriptName.test(path)
    ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, /* setParentNodes */ true)
    : undefined;
  return { path, text, tree };
}

export function describeFinding(finding: Finding): string {
  return `${finding.path}:${finding.line} ${finding.wrong}: ${finding.todo}`;
}

/** Tests and what only tests use are free of the rules that keep the floors of `src/` apart. */
export function isTest(path: string): boolean {
  return testName.test(path);
}

export function isProduct(path: string): boolean {
  return path.startsWith('src/') && !isTest(path);
}

/** The concept that a file belongs to: `src/core/entry.ts` is `core`, `src/index.ts` is `index`, `sim/run.ts` is `sim`. */
export function folderOf(path: string): string {
  const parts = path.split('/');
  const first = parts[0] ?? '';
  if (first !== 'src') return first;
  const second = parts[1] ?? '';
  return parts.length > 2 ? second : second.replace(scriptName, '');
}

export function findingAt(source: Source, node: ts.Node, wrong: string, todo: string): Finding {
  return { path: source.path, line: lineOf(source, node), wrong, todo };
}

function lineOf(source: Source, node: ts.Node): number {
  if (source.tree === undefined) return 1;
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

export function walk(source: Source, visit: (node: ts.Node) => void): void {
  const step = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, step);
  };
  if (source.tree !== undefined) step(source.tree);
}

/** Every way in which one file can name another: import, export from, import(), import type, require(). */
export function importsOf(source: Source): readonly Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, literal: ts.Node | undefined, names: readonly string[], typeOnly: boolean): void => {
    if (literal === undefined || !ts.isStringLiteralLike(literal)) return;
    found.push({ specifier: literal.text, line: lineOf(source, node), names, typeOnly });
  };
  walk(source, (node) => {
    if (ts.isImportDeclaration(node)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      add(node, node.moduleSpecifier, namesOf(node.importClause), typeOnly);
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, exportedNamesOf(node), node.isTypeOnly);
    } else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, ['*'], true);
    } else if (ts.isCallExpression(node) && isImportCall(node)) {
      add(node, node.arguments[0], ['*'], false);
    } else if (ts.isExternalModuleReference(node)) {
      add(node, node.expression, ['*'], false);
    }
  });
  return found;
}

function isImportCall(node: ts.CallExpression): boolean {
  const callee = node.expression;
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

function namesOf(clause: ts.ImportClause | undefined): readonly string[] {
  if (clause === undefined) return [];
  const names = clause.name === undefined ? [] : ['default'];
  const bindings = clause.namedBindings;
  if (bindings === undefined) return names;
  if (ts.isNamespaceImport(bindings)) return [...names, '*'];
  return [...names, ...bindings.elements.map((element) => (element.propertyName ?? element.name).text)];
}

function exportedNamesOf(node: ts.ExportDeclaration): readonly string[] {
  const clause = node.exportClause;
  if (clause === undefined || !ts.isNamedExports(clause)) return ['*'];
  return clause.elements.map((element) => (element.propertyName ?? element.name).text);
}
