// mocha in a thread (maestro_node_room.cjs): its command line, without what only a terminal needs.
'use strict';
const { createRequire } = require('module');
const { dirname, join } = require('path');

const [program, ...words] = process.argv.splice(2);
process.argv[1] = program;
process.argv.push(...words);
const lib = join(dirname(dirname(program)), 'lib');
const load = createRequire(join(lib, 'cli', 'cli.js'));
let main;
try {
  ({ main } = load('./cli'));
} catch {
  // Another mocha than those that this was written for: nothing is said, and the run is made otherwise.
  process.kill(process.pid, 'SIGKILL');
}
main(words);
