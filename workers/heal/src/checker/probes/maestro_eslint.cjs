// Runs the project's own eslint, under its own configuration, on one file, and writes down what it says, what its fix of one
// rule makes of the file, and what it suggests about one finding. The file itself is not written.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const asked = JSON.parse(fs.readFileSync(process.env.MAESTRO_CHECK, 'utf8'));
const tell = (record) => fs.writeFileSync(process.env.MAESTRO_CHECK_OUT, JSON.stringify(record));

async function main() {
  const cwd = process.cwd();
  const { ESLint } = require(require.resolve('eslint', { paths: [cwd] }));
  // A name is a name: `app/[id]/page.js` is no pattern.
  const options = { cwd, globInputPaths: false };
  const results = await new ESLint(options).lintFiles([asked.file]);
  const record = { version: ESLint.version, results, fixed: null, suggested: [] };
  if (asked.rule) {
    const fixing = new ESLint({ ...options, fix: (message) => message.ruleId === asked.rule });
    const [fixed] = await fixing.lintFiles([asked.file]);
    record.fixed = (fixed && fixed.output) ?? null;
    const text = fs.readFileSync(path.join(cwd, asked.file), 'utf8');
    const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
    const whole = text.slice(mark.length);
    for (const message of results.flatMap((result) => result.messages)) {
      if (message.ruleId !== asked.rule) continue;
      for (const { desc, fix } of message.suggestions ?? []) {
        const [from, to] = fix.range;
        record.suggested.push({
          line: message.line,
          column: message.column,
          what: desc,
          text: mark + whole.slice(0, Math.max(from, 0)) + fix.text + whole.slice(to),
        });
      }
    }
  }
  // The whole text of the file in each result says nothing that is not on the disk.
  for (const result of results) delete result.source;
  tell(record);
}

main().catch((error) => {
  tell({ failed: String((error && error.message) || error).slice(0, 4000) });
  process.exitCode = 2;
});
