// Which tests of a run there are, in which order, and with which chance, where the engine asks for it by
// MAESTRO_PROBE_PLAN. The runners' own halves (maestro_arrange_*) hand over siblings, from the outermost inwards.
'use strict';
const { readFileSync } = require('fs');
const { emit } = require('./maestro_node.cjs');

const file = process.env.MAESTRO_PROBE_PLAN;
const plan = file ? JSON.parse(readFileSync(file, 'utf8')) : {};
const only = plan.only || [];
const order = plan.order || 'given';

// Whether a test is `name` or lies in it; the engine's own rule. jest's names are joined by a space.
function belongs(test, name) {
  return test.startsWith(name) && /^(?:$|::|\[|\.| )/.test(test.slice(name.length));
}

// What is asked for by its title alone has no file.
function asked(id, name) {
  return name.includes('/') ? id : id.slice(id.indexOf('::') + 2);
}

// The place in the list of what is asked for; of a suite that of the first test in it. Without a list each has one.
function place(id, isSuite) {
  if (only.length === 0) return 0;
  const is = (name) => belongs(asked(id, name), name) || (isSuite && belongs(name, asked(id, name)));
  const at = only.findIndex(is);
  return at === -1 ? null : at;
}

function draw(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const chance = typeof order === 'object' ? draw(order.shuffled) : null;

// The siblings to run, in their order. `of` says of each its id and whether it is a suite.
function arrange(siblings, of) {
  const kept = siblings
    .map((sibling) => ({ sibling, at: place(...of(sibling)) }))
    .filter(({ at }) => at !== null);
  if (order === 'reversed') kept.reverse();
  if (order === 'listed') kept.sort((one, other) => one.at - other.at);
  if (chance) {
    for (let last = kept.length - 1; last > 0; last -= 1) {
      const other = Math.floor(chance() * (last + 1));
      [kept[last], kept[other]] = [kept[other], kept[last]];
    }
  }
  return kept.map(({ sibling }) => sibling);
}

// Before each test: what is drawn at random is drawn from the same seed.
function sow(math) {
  if (plan.seed !== undefined && plan.seed !== null) math.random = draw(plan.seed);
}

// The tests of one file, in the order in which they are going to run.
function tell(tests) {
  if (tests.length > 0) emit({ kind: 'collected', tests });
}

module.exports = { arrange, sow, tell };
