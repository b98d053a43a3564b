// A reporter of `node --test` (https://nodejs.org/api/test.html#custom-reporters) that writes records.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const { emit, text, describe } = createRequire(import.meta.url)('./maestro_node.cjs');

const titles = new Map();

// The titles from the outermost suite to this test.
function path(data) {
  const of = titles.get(data.file) || [];
  titles.set(data.file, of);
  of.length = data.nesting;
  of[data.nesting] = data.name;
  return [...of];
}

function record(event) {
  const { data } = event;
  if (event.type === 'test:start') {
    path(data);
    return;
  }
  const known = titles.get(data.file) || [];
  const title = [...known.slice(0, data.nesting), data.name];
  // A whole file stands here when it has no tests of its own, or ended otherwise than by its tests; since Node 22 by its
  // path relative to where the run began.
  const whole = data.nesting === 0 && (data.file ? resolve(data.name) === data.file : data.name.startsWith('/'));
  const test = whole ? data.file || data.name : `${data.file || ''}::${title.map(text).join(' > ')}`;
  const error = data.details && data.details.error;
  const kind = (error && error.failureType) || '';
  if (kind === 'subtestsFailed') return;
  const suite = data.details && data.details.type === 'suite';
  if (suite && event.type === 'test:pass') return;
  const skipped = data.skip !== undefined || data.todo !== undefined;
  const outcome = skipped ? 'skipped' : event.type === 'test:pass' ? 'passed' : 'failed';
  const when = whole ? 'collect' : kind === 'hookFailed' || suite ? 'setup' : 'call';
  emit({ kind: 'outcome', test, when: outcome === 'failed' ? when : 'call', outcome, text: '' });
  if (outcome !== 'failed') return;
  const cause = error && error.cause;
  if (whole && typeof cause === 'string') return; // What went wrong there its own process has written.
  const said = describe(cause && typeof cause === 'object' ? cause : error);
  if (kind === 'testTimeoutFailure') said.code = 'ERR_TEST_TIMEOUT';
  emit({ kind: 'failure', test, when, ...said });
}

export default async function* report(source) {
  emit({ kind: 'start', root: process.cwd() });
  for await (const event of source) {
    if (['test:start', 'test:pass', 'test:fail'].includes(event.type)) record(event);
  }
  emit({ kind: 'finish' });
  yield '';
}
