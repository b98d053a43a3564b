// A reporter of vitest (https://vitest.dev/api/advanced/reporters) that writes records; of its versions 0.34 to 4.
import { createRequire } from 'node:module';

const { emit, text, describe } = createRequire(import.meta.url)('./maestro_node.cjs');

function said(error) {
  const record = describe(error);
  if (record.exception === 'Error' && error && error.nameStr) record.exception = text(error.nameStr);
  if (record.frames.length === 0 && error && Array.isArray(error.stacks)) {
    record.frames = error.stacks.map((of) => [of.file, of.line, of.method || '']).reverse();
  }
  return record;
}

function walk(task, file, titles) {
  const result = task.result || {};
  const errors = result.errors || (result.error ? [result.error] : []);
  const whole = titles.length === 0;
  const test = whole ? file : `${file}::${titles.join(' > ')}`;
  if (task.tasks) {
    const own = result.state === 'fail' && errors.length > 0;
    if (own) {
      const when = whole && task.tasks.length === 0 ? 'collect' : 'setup';
      emit({ kind: 'outcome', test, when, outcome: 'failed', text: '' });
      emit({ kind: 'failure', test, when, ...said(errors[0]) });
    }
    for (const child of task.tasks) walk(child, file, [...titles, text(child.name)]);
    return;
  }
  const skipped = task.mode === 'skip' || task.mode === 'todo' || !result.state || result.state === 'skip';
  const outcome = skipped ? 'skipped' : result.state === 'pass' ? 'passed' : 'failed';
  emit({ kind: 'outcome', test, when: 'call', outcome, text: '' });
  if (outcome === 'failed' && errors.length > 0) emit({ kind: 'failure', test, when: 'call', ...said(errors[0]) });
}

export default class Reporter {
  done = false;

  onInit(vitest) {
    const arranging = process.env.MAESTRO_VITEST_SETUP;
    if (arranging) {
      for (const { config } of [vitest, ...(vitest.projects || [])]) {
        if (!config.setupFiles.includes(arranging)) config.setupFiles.push(arranging);
      }
    }
    emit({ kind: 'start', root: process.cwd() });
  }

  onFinished(files = [], errors = []) {
    if (this.done) return;
    this.done = true;
    for (const file of files) walk(file, file.filepath, []);
    for (const error of errors) emit({ kind: 'uncaught', main: '', ...said(error) });
    emit({ kind: 'finish' });
  }

  onTestRunEnd(modules = [], errors = []) {
    this.onFinished(modules.map((of) => of.task), [...errors]);
  }
}
