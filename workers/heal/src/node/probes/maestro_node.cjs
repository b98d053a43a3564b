// Writes what a run of Node does to a file, one JSON object a line. Preloaded into every process of the run, so it has
// to work on every Node from 18 on and must change nothing about the run.
'use strict';
// Taken now: a test may put something of its own in their places.
const { closeSync, mkdirSync, openSync, writeFileSync, writeSync } = require('fs');
const { inspect } = require('util');
const { threadId } = require('worker_threads');
const { stringify } = JSON;
const { defineProperty } = Object;

const LIMIT = 20000;
let target = process.env.MAESTRO_PROBE_FILE;
let sink = null;

// Where it is written from now on, in a process that makes several runs.
function aim(path) {
  if (sink !== null) closeSync(sink);
  sink = null;
  target = path;
}

function emit(record) {
  if (!target) return;
  try {
    if (sink === null) sink = openSync(target, 'a');
    writeSync(sink, stringify(record) + '\n');
  } catch {
    // The run matters more than what is written about it.
  }
}

function text(value) {
  let said;
  try {
    said = typeof value === 'string' ? value : String(value);
  } catch {
    said = '<unprintable>';
  }
  said = said.replace(/\u001b\[[0-9;]*m/g, '');
  return said.length <= LIMIT ? said : `${said.slice(0, LIMIT / 2)}\n[...]\n${said.slice(-LIMIT / 2)}`;
}

function value(of) {
  try {
    const said = typeof of === 'string' ? of : inspect(of, { depth: 4, breakLength: Infinity, maxStringLength: 400 });
    return text(said).slice(0, 600);
  } catch {
    return '<unprintable>';
  }
}

const FRAME = /^\s*at (?:async )?(?:(.+?) \()?(?:file:\/\/)?(\/[^()]*?):(\d+):\d+\)?$/;

// The frames of a stack as V8 prints it, outermost first; those of Node itself are left out.
function frames(stack) {
  const found = [];
  for (const line of stack.split('\n')) {
    const frame = FRAME.exec(line);
    if (frame) found.unshift([frame[2], Number(frame[3]), (frame[1] || '').replace(/^Object\.<anonymous>$/, '<module>')]);
  }
  return found.length > 100 ? [...found.slice(0, 20), ...found.slice(-80)] : found;
}

// What an error is, as the engine reads it.
function describe(error) {
  const of = error !== null && typeof error === 'object' ? error : { message: text(error) };
  const message = text(of.message === undefined ? inspect(of) : of.message);
  const stack = text(of.stack || '');
  const trace = frames(stack);
  // Where a file does not parse stands in front of the stack: `/a/b.js:3`.
  const place = /^(?:file:\/\/)?(\/.*?):(\d+)\n/.exec(stack);
  if (place) trace.push([place[1], Number(place[2]), '<module>']);
  if (trace.length === 0) {
    const from = (of.requireStack && of.requireStack[0]) || (/ imported from (\/\S+)/.exec(message) || [])[1];
    if (from) trace.push([text(from), 1, '<module>']);
  }
  // An error that went from one process to another is a plain object; its stack still begins with its name.
  const [, named, coded] = /^(?:Uncaught )?([A-Za-z_$][\w$.]*)(?: \[(\w+)\])?:/.exec(stack) || [];
  const record = {
    exception: text(of.name || named || of.type || 'Error'),
    message,
    code: of.code === undefined || of.code === null ? coded || '' : text(of.code),
    text: stack || message,
    frames: trace,
  };
  // What could not go from a test's process to its runner as data goes as a text that begins with its name.
  const told = /^([A-Z]\w*Error)(?: \[(\w+)\])?: /.exec(message);
  if (told && record.exception === 'Error') {
    record.exception = told[1];
    record.code = told[2] || '';
    record.message = message.slice(told[0].length);
  }
  const compared = of.matcherResult || of;
  if ('actual' in compared || 'expected' in compared) {
    record.actual = value(compared.actual);
    record.expected = value(compared.expected);
  }
  return record;
}

module.exports = { emit, aim, text, describe, frames, path: __filename };

if ((target || process.env.MAESTRO_NODE_ROOM) && !process[Symbol.for('maestro.probe')]) {
  defineProperty(process, Symbol.for('maestro.probe'), { value: true });
  process.on('uncaughtExceptionMonitor', (error) => {
    emit({ kind: 'uncaught', main: process.argv[1] || '', ...describe(error) });
  });
  // What a thread ran, as V8 writes it down for a process that ends.
  const covered = process.env.MAESTRO_NODE_COVERAGE;
  if (covered) {
    const { Session } = require('inspector');
    const session = new Session();
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    process.on('exit', () => {
      session.post('Profiler.takePreciseCoverage', (error, ran) => {
        if (error) return;
        mkdirSync(covered, { recursive: true });
        writeFileSync(`${covered}/coverage-thread-${threadId}.json`, stringify(ran));
      });
    });
  }

  // What is set for a process is set for all runs in it: this is the last one.
  if (process.env.MAESTRO_NODE_ROOM) require('v8').setFlagsFromString = () => process.kill(process.pid, 'SIGKILL');

  // tape says which test it runs, and not where that stands.
  const Module = require('module');
  const load = Module._load;
  const own = (parent) => parent && parent.filename && parent.filename.startsWith(`${__dirname}/`);
  Module._load = function maestroLoad(request, parent, main) {
    if (process.env.MAESTRO_ARRANGE === 'node' && /^(node:)?test$/.test(request) && !own(parent)) {
      return load.call(this, `${__dirname}/maestro_arrange_node.cjs`, parent, false);
    }
    const loaded = load.call(this, request, parent, main);
    if (request !== 'tape' || typeof loaded !== 'function') return loaded;
    return new Proxy(loaded, {
      apply(harness, self, given) {
        const name = given.find((argument) => typeof argument === 'string') || '(anonymous)';
        const from = frames(new Error().stack || '').reverse().find(([path]) => path !== __filename);
        emit({ kind: 'declared', name, path: from ? from[0] : '', line: from ? from[1] : 0 });
        return Reflect.apply(harness, self, given);
      },
    });
  };
}
