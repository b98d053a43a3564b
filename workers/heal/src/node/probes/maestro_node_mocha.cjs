// mocha in a thread (maestro_node_room.cjs): as its command line runs it, with the options that are known already where they are.
'use strict';
const { createRequire } = require('module');
const { dirname, join } = require('path');
const { workerData } = require('worker_threads');

const { program, told } = workerData;
process.argv.splice(1, 1, program);
const load = createRequire(join(dirname(dirname(program)), 'lib', 'cli', 'cli.js'));
const most = (failed) => Math.min(failed, 255);

async function run(Mocha) {
  const mocha = new Mocha(told.options);
  mocha.files = told.files;
  await mocha.loadFilesAsync();
  mocha.run((failed) => {
    if (told.options.exit) process.exit(most(failed));
    process.on('exit', () => {
      process.exitCode = told.options.passOnFailingTestSuite ? 0 : most(failed);
    });
  });
}

let begin;
try {
  if (told) {
    Error.stackTraceLimit = Infinity;
    const Mocha = load('../mocha');
    begin = () => run(Mocha).catch(() => process.exit(1));
  } else {
    begin = load('./cli').main;
  }
} catch {
  // Another mocha than those that this was written for: nothing is said, and the run is made otherwise.
  process.kill(process.pid, 'SIGKILL');
}
begin();
