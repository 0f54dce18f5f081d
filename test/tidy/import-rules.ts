/** The tower: which folder may name which, and that no two files name each other in a ring. */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import type { Finding, Import, Rule, Source } from './source.js';
import { folderOf, importsOf, isProduct, isTest } from './source.js';

const leaf: readonly string[] = ['core'];
const everyRoom: readonly string[] = [
  'core',
  'codec',
  'policy',
  'memory',
  'redis',
  'peer',
  'city',
  'source',
  'fleet',
  'metrics',
];

/** Folder, and the folders that it may import besides itself; `import type` counts. ARCHITECTURE.md says why. */
const table: ReadonlyMap<string, readonly string[]> = new Map([
  ['core', []],
  ['codec', leaf],
  ['policy', leaf],
  ['memory', leaf],
  ['redis', leaf],
  ['peer', leaf],
  ['source', leaf],
  ['fleet', leaf],
  ['metrics', leaf],
  ['city', ['core', 'policy']],
  ['node', everyRoom],
  ['cli', ['core', 'node']],
  ['adapters', ['core', 'node']],
  ['index', ['core', 'node']],
  ['sim', everyRoom.filter((folder) => folder !== 'redis' && folder !== 'source')],
]);

const packageName = 'fleetflow-cache';
const withoutThirdParty: readonly string[] = ['core', 'policy', 'fleet'];
const withoutInputOutput: readonly string[] = ['core', 'policy', 'fleet'];
const inputOutput =
  /^(?:node:)?(?:child_process|cluster|dgram|dns|fs|http|http2|https|inspector|net|os|process|readline|repl|tls|tty|worker_threads)(?:\/|$)/;
const importEnding = /\.(?:js|mjs|json)$/;
const mayReExport: readonly string[] = ['src/index.ts', 'src/node/fleet.ts'];

function isRelative(specifier: string): boolean {
  return specifier.startsWith('./') || specifier.startsWith('../');
}

/** A finding for every import of every source of which `say` has something to say. */
function eachImport(
  sources: readonly Source[],
  say: (source: Source, one: Import) => { wrong: string; todo: string } | undefined,
): readonly Finding[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap((one) => {
      const said = say(source, one);
      return said === undefined ? [] : [{ path: source.path, line: one.line, ...said }];
    }),
  );
}

const isInTable = (path: string): boolean => isProduct(path) || (path.startsWith('sim/') && !isTest(path));

const importTable: Rule = {
  name: 'every folder imports only the folders that the table allows it, types included',
  check: (sources) =>
    eachImport(
      sources.filter((source) => isInTable(source.path)),
      ({ path }, { specifier }) => {
        const from = folderOf(path);
        const allowed = table.get(from);
        if (allowed === undefined) return undefined;
        if (specifier === packageName || specifier.startsWith(`${packageName}/`)) {
          return { wrong: `imports its own package as '${specifier}'`, todo: 'name the file that declares it' };
        }
        if (!isRelative(specifier)) return undefined;
        const to = folderOf(posix.join(posix.dirname(path), specifier));
        if (to === from || allowed.includes(to)) return undefined;
        return {
          wrong: `'${from}' imports '${to}' ('${specifier}')`,
          todo: `'${from}' may import ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}; declare a small port here and let node/compose.ts pass what fits`,
        };
      },
    ),
};

const knownFolders: Rule = {
  name: 'every folder of src is a concept of the import table',
  check: (sources) =>
    sources
      .filter((source) => source.path.startsWith('src/') && !table.has(folderOf(source.path).replace(/\.test$/, '')))
      .map((source) => ({
        path: source.path,
        line: 1,
        wrong: `'${folderOf(source.path)}' is not in the import table`,
        todo: 'move the file into the folder of its concept, or add the concept to the table and to ARCHITECTURE.md',
      })),
};

const noThirdParty: Rule = {
  name: 'core, policy and fleet import no third party',
  check: (sources) =>
    eachImport(
      sources.filter((source) => isProduct(source.path) && withoutThirdParty.includes(folderOf(source.path))),
      ({ path }, { specifier }) =>
        isRelative(specifier) || isBuiltin(specifier)
          ? undefined
          : { wrong: `'${folderOf(path)}' imports '${specifier}'`, todo: 'take what it does through a port' },
    ),
};

const noInputOutput: Rule = {
  name: 'core, policy and fleet do no input or output',
  check: (sources) =>
    eachImport(
      sources.filter((source) => isProduct(source.path) && withoutInputOutput.includes(folderOf(source.path))),
      ({ path }, { specifier }) =>
        inputOutput.test(specifier)
          ? { wrong: `'${folderOf(path)}' imports '${specifier}'`, todo: 'take what it does through a port' }
          : undefined,
    ),
};

const importEndings: Rule = {
  name: 'relative imports end in .js',
  check: (sources) =>
    eachImport(sources, (_source, { specifier }) =>
      isRelative(specifier) && !importEnding.test(specifier)
        ? { wrong: `imports '${specifier}'`, todo: 'write the ending that Node will look for (.js)' }
        : undefined,
    ),
};

const noCircle: Rule = {
  name: 'no files import each other in a circle, types included',
  check: (sources) => {
    const paths = new Set(sources.map((source) => source.path));
    const graph = new Map(sources.map((source) => [source.path, edgesOf(source, paths)]));
    const inKnownCircle = new Set<string>();
    const findings: Finding[] = [];
    for (const [path, edges] of graph) {
      if (inKnownCircle.has(path)) continue;
      const circle = shortestCircle(path, graph);
      if (circle === undefined) continue;
      for (const member of circle) inKnownCircle.add(member);
      const line = edges.find((edge) => edge.to === (circle[1] ?? path))?.line ?? 1;
      findings.push({
        path,
        line,
        wrong: `import circle ${[...circle, path].join(' > ')}`,
        todo: 'move what both need into a leaf file that imports neither',
      });
    }
    return findings;
  },
};

interface Edge {
  readonly to: string;
  readonly line: number;
}

function edgesOf(source: Source, paths: ReadonlySet<string>): readonly Edge[] {
  return importsOf(source).flatMap(({ specifier, line }) => {
    if (!isRelative(specifier)) return [];
    const target = posix.join(posix.dirname(source.path), specifier);
    const to = [target.replace(/\.js$/, '.ts'), target].find((candidate) => paths.has(candidate));
    return to === undefined ? [] : [{ to, line }];
  });
}

/** Breadth first from a file back to itself: the files on the way, the first one first. */
function shortestCircle(start: string, graph: ReadonlyMap<string, readonly Edge[]>): readonly string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const path of queue) {
    for (const { to } of graph.get(path) ?? []) {
      if (to === start) return wayBack(path, start, cameFrom);
      if (cameFrom.has(to)) continue;
      cameFrom.set(to, path);
      queue.push(to);
    }
  }
  return undefined;
}

function wayBack(last: string, start: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const way: string[] = [];
  for (let at: string | undefined = last; at !== undefined && at !== start; at = cameFrom.get(at)) way.unshift(at);
  return [start, ...way];
}

const noBarrel: Rule = {
  name: 'no file only re-exports others, besides the entry points',
  check: (sources) =>
    sources
      .filter(({ path, tree }) => tree !== undefined && !mayReExport.includes(path) && onlyReExports(tree))
      .map(({ path }) => ({
        path,
        line: 1,
        wrong: 'only re-exports other files',
        todo: 'delete it and import the file that declares the name',
      })),
};

function onlyReExports(tree: NonNullable<Source['tree']>): boolean {
  return (
    tree.statements.some((statement) => ts.isExportDeclaration(statement)) &&
    tree.statements.every((statement) => ts.isExportDeclaration(statement) || ts.isImportDeclaration(statement))
  );
}

export const importRules: readonly Rule[] = [
  importTable,
  knownFolders,
  noThirdParty,
  noInputOutput,
  importEndings,
  noCircle,
  noBarrel,
];
