// The same for files that are modules: their `node:test` is this one where the tests are arranged.
import { createRequire } from 'node:module';

const arranged = createRequire(import.meta.url)('./maestro_arrange_node.cjs');

export default arranged;
export const { test, it, describe, suite, before, after, beforeEach, afterEach, mock, snapshot, assert, run } = arranged;
