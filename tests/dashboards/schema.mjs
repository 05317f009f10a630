// Checks dashboards against Grafana's types: node schema.mjs TOOLS FILE.json…
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const [tools, ...files] = process.argv.slice(2);
const ts = createRequire(join(tools, 'package.json'))('typescript');

// The dashboards become literals in TypeScript, because the types of an imported JSON file are too wide. These files
// exist only in memory, beside the packages.
const sources = new Map([[join(tools, 'schema.ts'), readFileSync(new URL('schema.ts', import.meta.url), 'utf8')]]);
for (const file of files) {
  const text = `import type { Dashboard } from './schema';\nexport const dashboard: Dashboard = ${readFileSync(file, 'utf8')};\n`;
  sources.set(join(tools, `${basename(file)}.ts`), text);
}

const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
host.getSourceFile = (name, ...more) =>
  sources.has(name) ? ts.createSourceFile(name, sources.get(name), options.target) : getSourceFile.call(host, name, ...more);
host.fileExists = (name) => sources.has(name) || fileExists.call(host, name);
host.readFile = (name) => sources.get(name) ?? readFile.call(host, name);

const program = ts.createProgram([...sources.keys()], options, host);
const problems = ts.getPreEmitDiagnostics(program);
for (const { file, start, messageText } of problems) {
  // The JSON begins on the second line of its module.
  const line = file ? `${basename(file.fileName, '.ts')}:${file.getLineAndCharacterOfPosition(start).line}` : 'tsc';
  console.error(`${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}
process.exit(problems.length > 0 ? 1 : 0);
