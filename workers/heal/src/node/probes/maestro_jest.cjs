// A reporter of jest (https://jestjs.io/docs/configuration#reporters-arraymodulename--modulename-options) that writes
// records.
'use strict';
const { emit, text, describe } = require('./maestro_node.cjs');

class Reporter {
  onRunStart() {
    emit({ kind: 'start', root: process.cwd() });
  }

  onTestResult(_test, result) {
    const file = result.testFilePath;
    if (result.testExecError) {
      emit({ kind: 'outcome', test: file, when: 'collect', outcome: 'failed', text: text(result.failureMessage || '') });
      emit({ kind: 'failure', test: file, when: 'collect', ...describe(result.testExecError) });
    }
    for (const one of result.testResults) {
      const test = `${file}::${one.fullName || [...one.ancestorTitles, one.title].join(' ')}`;
      const outcome = one.status === 'passed' || one.status === 'failed' ? one.status : 'skipped';
      emit({ kind: 'outcome', test, when: 'call', outcome, text: '' });
      if (outcome !== 'failed') continue;
      const detail = (one.failureDetails || [])[0];
      const message = text((one.failureMessages || [])[0] || '');
      const structured = detail && typeof detail === 'object' && (detail.message || detail.stack);
      const said = describe(structured ? detail : { name: message.split(':')[0], message, stack: message });
      if (said.frames.length === 0) said.frames = describe({ message, stack: message }).frames;
      if (detail && detail.matcherResult && !/Error$/.test(said.exception)) said.exception = 'JestAssertionError';
      if (detail && detail.matcherResult && detail.matcherResult.name) said.matcher = text(detail.matcherResult.name);
      said.text = message || said.text;
      emit({ kind: 'failure', test, when: 'call', ...said });
    }
  }

  onRunComplete() {
    emit({ kind: 'finish' });
  }
}

module.exports = Reporter;
