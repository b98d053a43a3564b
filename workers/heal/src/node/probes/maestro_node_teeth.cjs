// Runs the same tests once for each planted defect, each time in a process of its own. The first run has no defect and
// must pass; so must the last.
'use strict';
const { appendFileSync, readFileSync, writeFileSync } = require('fs');
const { spawnSync } = require('child_process');

const LEAST_MS = 3000;
// A test that has caught so many need not prove more.
const ENOUGH = 2;

const { defects, words } = JSON.parse(readFileSync(process.env.MAESTRO_TEETH, 'utf8'));
const records = process.env.MAESTRO_PROBE_FILE;
const env = { ...process.env };
delete env.MAESTRO_PROBE_FILE;
delete env.MAESTRO_TEETH;

function run(limit) {
  const began = Date.now();
  const done = spawnSync(process.execPath, words, { env, stdio: 'ignore', timeout: limit, killSignal: 'SIGKILL' });
  return { status: done.status, spent: Date.now() - began };
}

let limit = 60000;
let failed = 0;
const last = defects.length + 1;
[null, ...defects, null].some((defect, index) => {
  if (failed === ENOUGH && index !== last) return false;
  // Nothing failed, so nothing can have failed for what an earlier run left behind.
  if (index === last && failed === 0) return true;
  const kept = defect && readFileSync(defect.path);
  if (defect) writeFileSync(defect.path, defect.text);
  const { status, spent } = run(limit);
  if (defect) writeFileSync(defect.path, kept);
  appendFileSync(records, `${JSON.stringify({ kind: 'bite', index, status })}\n`);
  if (index === 0) {
    if (status !== 0) return true;
    limit = Math.max(LEAST_MS, 5 * spent);
  }
  failed += status === 0 ? 0 : 1;
  return false;
});
