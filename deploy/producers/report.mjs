// Reports one failing test to Maestro. Needs `npm install redis@5` (Node 18 or newer); REDIS_URL says where.
import { createClient } from 'redis';

const test = 'tests/test_cart.py::test_total';
const report = {
  project: { repository: 'https://git.example/shop/cart.git', revision: '4f1c2aa' },
  kind: 'test_failure',
  message: "ImportError: cannot import name 'Mapping' from 'collections'",
  test: { id: test, framework: 'pytest' },
  runtime: { python: '3.11', install: ['pytest'] },
};

const client = createClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' });
client.on('error', (error) => { console.error(error.message); process.exit(1); });
await client.connect();
console.log(await client.xAdd('automation:errors', '*', {
  type: 'maestro.error.reported.v1',
  source: '//ci.example/cart',
  id: `4f1c2aa/${test}`, // with an id, a repeated run of this job reports nothing twice
  data: JSON.stringify(report),
}));
await client.close();
