// What jest calls for each file (https://jestjs.io/docs/configuration#testrunner-string) where the tests are arranged:
// its own runner, with an ear for the moment at which all tests of the file are known.
'use strict';
const { dirname } = require('path');
const { arrange, sow, tell } = require('./maestro_arrange.cjs');

module.exports = async function runner(global, config, environment, runtime, file, send) {
  const path = require.resolve('jest-circus/runner', { paths: [dirname(process.argv[1]), config.rootDir] });
  const loaded = require(path);
  const theirs = environment.handleTestEvent;
  environment.handleTestEvent = async (event, state) => {
    if (event.name === 'run_start') {
      const told = [];
      walk(state.rootDescribeBlock, '', file, told);
      tell(told);
    }
    if (event.name === 'test_start') sow(environment.global.Math);
    if (theirs) await theirs.call(environment, event, state);
  };
  return (loaded.default || loaded)(global, config, environment, runtime, file, send);
};

function walk(block, titles, file, told) {
  const id = (child) => `${file}::${titles}${child.name}`;
  block.children = arrange(block.children, (child) => [id(child), child.type === 'describeBlock']);
  for (const child of block.children) {
    if (child.type === 'describeBlock') walk(child, `${titles}${child.name} `, file, told);
    else told.push(id(child));
  }
}
