// A reporter of mocha (https://mochajs.org/api/tutorial-custom-reporter.html) that writes records.
'use strict';
const { emit, text, describe } = require('./maestro_node.cjs');

module.exports = class Reporter {
  constructor(runner) {
    emit({ kind: 'start', root: process.cwd() });
    const id = (test) => `${test.file || ''}::${test.titlePath().map(text).join(' > ')}`;
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
