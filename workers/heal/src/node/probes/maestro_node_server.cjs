// Makes the runs of a heal, one at a time, in a process that is started once: starting Node and a runner is most of what
// a small run costs. `node maestro_node_server.cjs SOCKET`; a job is one line of JSON on the socket, and so is its end. What the runs are made in
// is another process (maestro_node_room.cjs), so that one which does not end, or ends all it can reach, is ended here.
'use strict';
const { spawn } = require('child_process');
const { lstatSync, readFileSync, readdirSync, rmSync, unlinkSync } = require('fs');
const net = require('net');
const { join } = require('path');

// A process that was lost so often during a run is not started again.
const MOST_LOST = 3;
// What a runner keeps of its runs is given back with its process.
const MOST_MEMORY = 700 << 20;

const mounted = new Set(
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    // Spaces and the like stand there in octal.
    .map((line) => (line.split(' ')[4] || '').replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))),
);

const { runner } = JSON.parse(process.env.MAESTRO_NODE_ROOM);
let room = null;
let lost = 0;

function open() {
  const child = spawn(process.execPath, [...process.execArgv, join(__dirname, 'maestro_node_room.cjs')], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const opened = { child, done: null };
  let begin;
  opened.ready = new Promise((resolve) => {
    begin = resolve;
  });
  const end = (status) => {
    const { done } = opened;
    opened.done = null;
    begin();
    if (done) done(status);
  };
  child.on('message', (said) => {
    if (said && said.ready) begin();
    if (!said || said.ended === undefined) return;
    opened.spent = said.spent;
    end({ status: said.ended });
  });
  // A run that ends the process that it is in says nothing about the run.
  child.on('exit', () => end({ status: 70, gone: true }));
  child.on('error', () => end({ status: 70, gone: true }));
  return opened;
}

function leave(opened) {
  const { child } = opened;
  child.removeAllListeners();
  child.on('error', () => {});
  const gone = new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    child.on('exit', resolve);
    setTimeout(resolve, 2000).unref();
  });
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
  return gone;
}

function memory(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}

async function run(job) {
  const used = room;
  // What a run may take is its own: a process that loads its runner has not begun.
  await used.ready;
  const ended = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ status: null, gone: true }), job.limit * 1000);
    used.done = (end) => {
      clearTimeout(timer);
      resolve(end);
    };
    used.child.send(job, (error) => error && resolve({ status: 70, gone: true }));
  });
  used.done = null;
  if (ended.status === 70) lost += 1;
  // Its children that are dead stay until somebody asks how they ended, and those of a thread that is gone nobody asks for. vitest has children
  // of its own.
  const parts = runner !== 'vitest' && processes().some((pid) => ![1, process.pid, used.child.pid].includes(pid));
  const again = ended.gone || used.spent || parts || memory(used.child.pid) > MOST_MEMORY;
  if (again) {
    await leave(used);
    room = null;
  }
  clear();
  if (lost >= MOST_LOST) process.exit(1);
  if (again) room = open();
  return ended.status;
}

// Whatever a run left running dies with it, and what it left in the sandbox's memory goes: the next finds nothing.
function clear() {
  const kept = new Set([1, process.pid, room ? room.child.pid : 0]);
  for (let turn = 0; turn < 100; turn += 1) {
    const strays = processes().filter((pid) => !kept.has(pid));
    if (strays.length === 0) break;
    for (const pid of strays) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It is gone.
      }
    }
  }
  for (const place of (process.env.MAESTRO_FORK_CLEARS || '').split(':')) if (place) empty(place);
}

function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

// Removes what lies in a directory, save what is mounted below it: the packages, for one.
function empty(place) {
  let names;
  try {
    names = readdirSync(place);
  } catch {
    return;
  }
  for (const name of names) {
    const path = join(place, name);
    if (mounted.has(path)) continue;
    if ([...mounted].some((mount) => mount.startsWith(`${path}/`))) {
      empty(path);
      continue;
    }
    try {
      if (lstatSync(path).isDirectory()) rmSync(path, { recursive: true, force: true });
      else unlinkSync(path);
    } catch {
      // It is somebody else's, or gone.
    }
  }
}

room = open();
const connection = net.connect(process.argv[2]);
let waiting = '';
let turn = Promise.resolve();
connection.setEncoding('utf8');
connection.on('data', (more) => {
  waiting += more;
  for (let at = waiting.indexOf('\n'); at !== -1; at = waiting.indexOf('\n')) {
    const job = JSON.parse(waiting.slice(0, at));
    waiting = waiting.slice(at + 1);
    turn = turn.then(() => run(job)).then((status) => connection.write(`${JSON.stringify({ status })}\n`));
  }
});
connection.on('error', () => process.exit(1));
connection.on('close', () => process.exit(0));
connection.write('{}\n');
