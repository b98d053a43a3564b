// Stands for `node:test` where the tests of a file are arranged: takes down what the file declares, and declares it to
// Node's own runner once the file, or a suite, has said all. What is declared while a test runs is left alone.
'use strict';
const { compileFunction } = require('vm');
const real = require('node:test');
const { arrange, sow } = require('./maestro_arrange.cjs');

const file = process.argv[1] || '';
const SUITES = new Set(['describe', 'suite']);
const VARIANTS = new Set(['skip', 'todo', 'only']);
// What the suite that is being read declares, with its title; the file itself is the first.
let current = { path: '', declared: [] };
let waiting = false;
// Node's runner says where a test stands by where it was declared from: that is the file, not this one.
const declareIn = compileFunction('return declare(...given)', ['declare', 'given'], { filename: file });

function title(given) {
  if (typeof given[0] === 'string') return given[0];
  const body = given.find((one) => typeof one === 'function');
  return (body && body.name) || '<anonymous>';
}

function flush(of) {
  const declared = of.declared.splice(0);
  // A test may have tests in it, like a suite.
  for (const one of arrange(declared, (each) => [each.id, true])) {
    try {
      one.resolve(one.declare());
    } catch (error) {
      one.reject(error);
    }
  }
}

function seeded(given) {
  return given.map((one) =>
    typeof one === 'function'
      ? Object.defineProperty(
          one.length > 1
            ? function arranged(context, done) {
                sow(Math);
                return one.call(this, context, done);
              }
            : function arranged(context) {
                sow(Math);
                return one.call(this, context);
              },
          'name',
          { value: one.name },
        )
      : one,
  );
}

function reading(id, given) {
  return given.map((one) =>
    typeof one !== 'function'
      ? one
      : function arranged(...context) {
          const outer = current;
          const inner = { path: id, declared: [] };
          current = inner;
          const done = () => flush(inner);
          try {
            const said = one.apply(this, context);
            if (said && typeof said.then === 'function') return said.then(done);
            done();
            return said;
          } finally {
            current = outer;
          }
        },
  );
}

function taking(declare, suite) {
  return function declared(...given) {
    const path = current.path ? `${current.path} > ${title(given)}` : `${file}::${title(given)}`;
    const named = typeof given[0] === 'string' ? given : [title(given), ...given];
    if (!current.path && !waiting) {
      waiting = true;
      setImmediate(() => {
        waiting = false;
        flush(current);
      });
    }
    return new Promise((resolve, reject) => {
      current.declared.push({
        id: path,
        resolve,
        reject,
        declare: () => declareIn(declare, suite ? reading(path, named) : seeded(named)),
      });
    });
  };
}

function standing(declare, suite) {
  return new Proxy(declare, {
    apply: (of, self, given) => taking(of, suite)(...given),
    get: (of, name) => {
      const member = of[name];
      if (typeof member !== 'function') return member;
      if (VARIANTS.has(name)) return taking(member, suite);
      if (name === 'test' || name === 'it' || SUITES.has(name)) return standing(member, SUITES.has(name));
      return member;
    },
  });
}

module.exports = standing(real, false);
