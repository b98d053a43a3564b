// A set-up file of vitest (https://vitest.dev/config/#setupfiles) where the tests are arranged or traced; it lies in the project,
// since it takes vitest from there. Before the first hook of a file all its tests are known.
import { createRequire } from 'node:module';
import { takeCoverage } from 'node:v8';
import { afterAll, beforeAll, beforeEach } from 'vitest';

const { arrange, sow, tell } = createRequire(import.meta.url)(`${process.env.MAESTRO_PROBES}/maestro_arrange.cjs`);

function walk(suite, id, told) {
  const of = (task) => `${id}${id.endsWith('::') ? '' : ' > '}${task.name}`;
  suite.tasks = arrange(suite.tasks, (task) => [of(task), task.type === 'suite']);
  for (const task of suite.tasks) {
    if (task.type === 'suite') walk(task, of(task), told);
    else told.push(of(task));
  }
}

beforeAll((given, later) => {
  // The first argument is the file's suite, or since vitest 4 its fixtures with the suite behind them.
  const suite = given && given.tasks ? given : later;
  if (!suite || !suite.tasks) return;
  const told = [];
  walk(suite, `${suite.filepath || suite.file.filepath}::`, told);
  tell(told);
});

beforeEach(() => sow(Math));

// vitest ends its processes before they write what they ran.
if (process.env.NODE_V8_COVERAGE) afterAll(() => takeCoverage());
