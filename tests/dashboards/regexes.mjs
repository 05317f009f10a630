// Checks which of a server's values the variables' regular expressions keep; they are JavaScript's regular expressions:
// node regexes.mjs FILE.json…
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const EXAMPLES = {
  metric: { offered: ['quipu_commits_total', 'records_processed'], kept: ['records_processed'] },
  label: { offered: ['__name__', 'instance', 'job', 'topic'], kept: ['__name__', 'topic'] },
  job: { offered: ['{job="quipu-totals"} 26 1718900012345'], kept: ['quipu-totals'] },
};

let checked = 0;
for (const file of process.argv.slice(2)) {
  for (const { name, regex } of JSON.parse(readFileSync(file, 'utf8')).templating.list.filter(({ regex }) => regex)) {
    const { offered, kept } = EXAMPLES[name];
    const [, pattern] = regex.match(/^\/(.*)\/$/);
    // Grafana uses the first group, or the whole match if there is no group.
    const found = offered.map((text) => text.match(new RegExp(pattern))).filter(Boolean);
    assert.deepEqual(found.map(([all, group]) => group ?? all), kept, `${basename(file)}: ${name}: ${regex}`);
    checked += 1;
  }
}
assert.notEqual(checked, 0);
