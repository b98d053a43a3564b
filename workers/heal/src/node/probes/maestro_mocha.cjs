// A reporter of mocha (https://mochajs.org/api/tutorial-custom-reporter.html) that writes records.
'use strict';
const { emit, text, describe } = require('./maestro_node.cjs');
const { arrange, sow, tell } = require('./maestro_arrange.cjs');

const id = (of) => `${of.file || ''}::${of.titlePath().map(text).join(' > ')}`;

// A suite's own tests come before the suites in it, whatever their order. The outermost one has the suites of all files.
function walk(suite, told) {
  suite.tests = arrange(suite.tests, (test) => [id(test), false]);
  suite.suites = arrange(suite.suites, (inner) => [id(inner), true]);
  for (const test of suite.tests) told.push(id(test));
  for (const inner of suite.suites) walk(inner, told);
}

module.exports = class Reporter {
  constructor(runner) {
    emit({ kind: 'start', root: process.cwd() });
    if (process.env.MAESTRO_PROBE_PLAN) {
      // All files are loaded, and no test has begun.
      const told = [];
      walk(runner.suite, told);
      tell(told);
      runner.on('test', () => sow(Math));
    }
    runner.on('pass', (test) => emit({ kind: 'outcome', test: id(test), when: 'call', outcome: 'passed', text: '' }));
    runner.on('pending', (test) => emit({ kind: 'outcome', test: id(test), when: 'call', outcome: 'skipped', text: '' }));
    runner.on('fail', (test, error) => {
      const when = test.type === 'hook' ? 'setup' : 'call';
      emit({ kind: 'outcome', test: id(test), when, outcome: 'failed', text: '' });
      emit({ kind: 'failure', test: id(test), when, ...describe(error) });
    });
    runner.on('end', () => emit({ kind: 'finish' }));
  }
};
