// Runs the same tests once for each planted defect, each time in a process of its own, and last without any: that run has
// to pass, or nothing that failed says anything.
'use strict';
const { appendFileSync, readFileSync, writeFileSync } = require('fs');
const { spawnSync } = require('child_process');

// A test that has caught so many need not prove more.
const ENOUGH = 2;

const { defects, words, limit } = JSON.parse(readFileSync(process.env.MAESTRO_TEETH, 'utf8'));
const records = process.env.MAESTRO_PROBE_FILE;
const env = { ...process.env };
delete env.MAESTRO_PROBE_FILE;
delete env.MAESTRO_TEETH;

function run() {
  return spawnSync(process.execPath, words, { env, stdio: 'ignore', timeout: limit, killSignal: 'SIGKILL' }).status;
}

function say(index, status) {
  appendFileSync(records, `${JSON.stringify({ kind: 'bite', index, status })}\n`);
}

let failed = 0;
defects.forEach((defect, at) => {
  if (failed === ENOUGH) return;
  const kept = readFileSync(defect.path);
  writeFileSync(defect.path, defect.text);
  const status = run();
  writeFileSync(defect.path, kept);
  say(at + 1, status);
  failed += status === 0 ? 0 : 1;
});
const status = run();
say(0, status);
say(defects.length + 1, status);
