#!/bin/sh
# Reports one failing test to Maestro. Needs redis-cli; REDIS_URL says where.
set -eu

# One member a line for the reader; a JSON string may hold anything but a bare line break.
data='{
  "project": { "repository": "https://git.example/shop/cart.git", "revision": "4f1c2aa" },
  "kind": "test_failure",
  "message": "ImportError: cannot import name '\''Mapping'\'' from '\''collections'\''",
  "test": { "id": "tests/test_cart.py::test_total", "framework": "pytest" },
  "runtime": { "python": "3.11", "install": ["pytest"] }
}'

# With an id, a repeated run of this job reports nothing twice. Without one, every XADD counts.
redis-cli -u "${REDIS_URL:-redis://127.0.0.1:6379}" -e XADD automation:errors '*' \
    type maestro.error.reported.v1 \
    source //ci.example/cart \
    id 4f1c2aa/tests/test_cart.py::test_total \
    data "$data"
