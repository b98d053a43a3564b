// Makes runs in one process. What is under test is loaded anew for each: node:test and mocha run in a thread of their own each time, which has
// its own modules, globals and variables; jest gives each file a world of its own, and vitest a process. What could get
// past that is looked at after each run: one that leaves this process otherwise than it found it is the last one made in it.
'use strict';
const { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('fs');
const { createRequire, builtinModules } = require('module');
const { tmpdir } = require('os');
const { dirname, join } = require('path');
const { pathToFileURL } = require('url');
const { Worker } = require('worker_threads');
const probe = require('./maestro_node.cjs');

const { runner, program } = JSON.parse(process.env.MAESTRO_NODE_ROOM);
delete process.env.MAESTRO_NODE_ROOM;
const variables = { ...process.env };
const say = process.send.bind(process);
process.on('disconnect', () => process.exit(0));
let take = null;
process.on('message', (job) => take(job));

function thread(file, words, env, more = {}) {
  return new Promise((resolve) => {
    const worker = new Worker(file, { argv: words, env: { ...env, MAESTRO_NODE_ROOM: '1' }, stdout: true, stderr: true, ...more });
    worker.stdout.resume();
    worker.stderr.resume();
    // It has said so itself, by the probe that is loaded into it.
    worker.on('error', () => {});
    worker.on('exit', resolve);
  });
}

// What `node --test` says of a file that ended badly, or has no tests.
function whole(file, status, records) {
  let told = [];
  try {
    told = readFileSync(records, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  } catch {
    // Nothing was written.
  }
  const of = told.filter(({ kind, test }) => kind === 'outcome' && String(test).startsWith(file));
  const failed = of.some(({ outcome }) => outcome === 'failed');
  if (of.length > 0 && (status === 0 || failed)) return;
  const outcome = status === 0 ? 'passed' : 'failed';
  probe.emit({ kind: 'outcome', test: file, when: status === 0 ? 'call' : 'collect', outcome, text: '' });
}

// What mocha makes of its command line and its configuration: the same for as long as these are. Null where it is for the thread to find
// out, since modules are to be loaded before the tests.
let said = null;
async function mochas({ words, directory }) {
  const files = readdirSync(directory).filter((name) => name === 'package.json' || name.startsWith('.mocharc'));
  const key = JSON.stringify([words, files.map((name) => [name, readFileSync(join(directory, name), 'utf8')])]);
  if (!said || said.key !== key) said = { key, options: await optionsOfMocha(words) };
  const { options } = said;
  if (!options || options.parallel || options.watch || !options.spec) return null;
  const collected = fromMocha('./collect-files')({ extension: [], file: [], ignore: [], ...options });
  if ((collected.unmatchedFiles || []).length > 0) return null;
  return { options, files: collected.files || collected };
}

const fromMocha = (name) => createRequire(join(dirname(dirname(program)), 'lib', 'cli', 'cli.js'))(name);

// Its command line is read by its own program, which then runs nothing and loads nothing.
let given = () => {};
let loadsModules = false;
function loadMocha() {
  const helpers = fromMocha('./run-helpers');
  helpers.handleRequires = async (required) => {
    loadsModules = (required || []).length > 0;
    return {};
  };
  helpers.runMocha = async (_, options) => given(options);
  fromMocha('./collect-files');
  return fromMocha('./cli');
}

async function optionsOfMocha(words) {
  try {
    const { main } = loadMocha();
    const options = await new Promise((resolve) => {
      given = resolve;
      setTimeout(resolve, 1000, null);
      main(words);
    });
    return loadsModules ? null : JSON.parse(JSON.stringify(options));
  } catch {
    return null;
  }
}

const runners = {
  async 'node-test'(job, env) {
    const reporter = join(__dirname, 'maestro_node_test.mjs');
    const execArgv = [...process.execArgv, `--test-reporter=${reporter}`, '--test-reporter-destination=stdout'];
    let failed = 0;
    for (const name of job.words) {
      const file = join(job.directory, name);
      const status = await thread(file, [], env, { execArgv });
      whole(file, status, job.records);
      failed = failed || status;
    }
    return failed;
  },

  async mocha(job, env) {
    const told = await mochas(job);
    return thread(join(__dirname, 'maestro_node_mocha.cjs'), job.words, env, { workerData: { program, told } });
  },

  async jest(job) {
    const known = process.listeners('exit');
    process.exitCode = 0;
    await createRequire(program)('jest-cli').run(job.words, job.directory);
    // What it exits with, it decides when the process ends.
    for (const listener of process.listeners('exit')) {
      if (known.includes(listener)) continue;
      process.removeListener('exit', listener);
      listener();
    }
    const status = process.exitCode;
    process.exitCode = 0;
    return status;
  },

  async vitest(job) {
    const vitest = await import(pathToFileURL(join(dirname(program), 'dist', 'node.js')));
    const { filter, options } = vitest.parseCLI(['vitest', ...job.words]);
    process.exitCode = 0;
    const context = await vitest.startVitest('test', filter, { ...options, watch: false, run: true });
    const status = process.exitCode;
    process.exitCode = 0;
    await context.close();
    return status;
  },
};
// What loads the runner, so that the first run finds it loaded. jest also changes a few things in its first run, which then are no test's.
const loads = {
  async jest() {
    const directory = mkdtempSync(join(tmpdir(), 'first-'));
    writeFileSync(join(directory, 'package.json'), '{}');
    writeFileSync(join(directory, 'a.test.js'), "test('a', () => expect(1).toBe(1));\n");
    const words = ['--ci', '--no-watchman', '--runInBand', '--coverage=false'];
    await runners.jest({ directory, words: [...words, `--reporters=${join(__dirname, 'maestro_jest.cjs')}`] });
    rmSync(directory, { recursive: true });
  },
  mocha: loadMocha,
  vitest: () => import(pathToFileURL(join(dirname(program), 'dist', 'node.js'))),
};

// What a run could leave otherwise than it found it, where it does not have a thread or a process of its own.
const watched = runner === 'jest' ? builtins() : [];
let before = [];
const handles = () => process.getActiveResourcesInfo().length;

function builtins() {
  const modules = builtinModules
    .filter((name) => !name.startsWith('_') && !/^(sys|punycode|wasi|trace_events|inspector)/.test(name))
    .map((name) => {
      try {
        return require(name);
      } catch {
        return null;
      }
    });
  const inner = [require('fs').promises, require('path').posix, require('util').types, require('timers').promises];
  const made = [Object, Function, Array, String, Number, Boolean, Symbol, Promise, RegExp, Date, Error, Map, Set, Buffer];
  return [...modules, ...inner, globalThis, process, process.stdout, Math, JSON, Reflect, console, ...made, ...made.map((of) => of.prototype)]
    .filter((of) => of !== null && (typeof of === 'object' || typeof of === 'function'));
}

function own(of) {
  return new Map(
    Reflect.ownKeys(of)
      .filter((key) => typeof key === 'string' && !/^_|^(argv|title|exitCode|env)$/.test(key))
      .map((key) => {
        const { value, get } = Reflect.getOwnPropertyDescriptor(of, key);
        return [key, get || (typeof value === 'function' ? value : null)];
      }),
  );
}

function isChanged() {
  return watched.some((of, at) => {
    const now = own(of);
    return now.size !== before[at].size || [...now].some(([key, value]) => before[at].get(key) !== value);
  });
}

take = async (job) => {
  await ready;
  const env = { ...variables, ...job.variables, MAESTRO_PROBE_FILE: job.records };
  if (job.plan) env.MAESTRO_PROBE_PLAN = job.plan;
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(job.directory);
  process.argv = [process.execPath, program || join(job.directory, job.words[0] || ''), ...job.words];
  probe.aim(job.records);
  // They have read the last run's conditions.
  for (const path of Object.keys(require.cache)) {
    if (dirname(path) === __dirname && ![__filename, probe.path].includes(path)) delete require.cache[path];
  }
  const umask = process.umask();
  const open = handles();
  let status = 70;
  try {
    status = await runners[runner](job, env);
  } catch {
    // Whoever asked makes the run otherwise.
  }
  await new Promise(setImmediate);
  const isLeft = runner === 'jest' && (process.umask() !== umask || handles() > open || isChanged());
  const spent = status === 70 || isLeft;
  say({ ended: status, spent });
};

// What is under test finds no parent to talk to, as in a process of its own.
delete process.send;
const ready = Promise.resolve(loads[runner] && loads[runner]())
  .catch(() => {})
  .then(() => {
    before = watched.map(own);
    say({ ready: true });
  });
