// Checks the Flux queries of dashboards, including types and built-in functions: node flux.mjs TOOLS FILE.json…
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [tools, ...files] = process.argv.slice(2);
const flux = await load(join(tools, 'node_modules/@influxdata/flux-lsp-browser'));

// The values that Grafana would substitute.
const VARIABLES = {
  '${bucket}': 'quipu',
  '${metric}': 'records_processed',
  '${label}': 'topic',
  '${value:regex}': '(auth|a\\/b)',
  '${audit}': 'auth',
  '${top}': '10',
  '${allowance}': '2',
};
const RANGE = 'option v = {timeRangeStart: -1h, timeRangeStop: now(), windowPeriod: 10s}\n';

let checked = 0;
let failed = 0;
for (const file of files) {
  const dashboard = JSON.parse(readFileSync(file, 'utf8'));
  for (const variable of dashboard.templating.list.filter(({ type }) => type === 'query')) {
    check(file, `variable ${variable.name}`, variable.query.query);
  }
  for (const panel of dashboard.panels) {
    for (const target of panel.targets ?? []) check(file, `panel ${panel.title} ${target.refId}`, target.query);
  }
}
console.log(`${checked} queries`);
process.exit(failed > 0 || checked === 0 ? 1 : 0);

function check(file, where, query) {
  checked += 1;
  let script = query;
  for (const [name, value] of Object.entries(VARIABLES)) script = script.replaceAll(name, value);
  const problem = script.includes('${') ? 'an unknown variable' : valid(script) ? '' : 'not valid Flux';
  if (problem) {
    failed += 1;
    console.error(`${basename(file)}: ${where}: ${problem}:\n${script}`);
  }
}

function valid(script) {
  const imports = script.match(/^(import .*\n+)*/)[0];
  return new flux.Flux(imports + RANGE + script.slice(imports.length)).is_valid();
}

// The package is made for bundlers, which import WebAssembly; node can't, so this function loads and links it.
async function load(folder) {
  let glue;
  const imports = new Proxy({}, { get: (_, name) => (...values) => glue[name](...values) });
  const wasm = readFileSync(join(folder, 'flux-lsp-browser_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(wasm, { './flux-lsp-browser_bg.js': imports });
  globalThis.fluxWasm = instance.exports;
  const script = readFileSync(join(folder, 'flux-lsp-browser_bg.js'), 'utf8');
  const adapted = script.replace(/^import \* as wasm from [^;]*;/, 'const wasm = globalThis.fluxWasm;');
  glue = await import(`data:text/javascript;base64,${Buffer.from(adapted).toString('base64')}`);
  return glue;
}
