"""Reports one failing test to Maestro. Needs `pip install redis`; REDIS_URL says where."""

import json
import os

import redis

test = "tests/test_cart.py::test_total"
report = {
    "project": {"repository": "https://git.example/shop/cart.git", "revision": "4f1c2aa"},
    "kind": "test_failure",
    "message": "ImportError: cannot import name 'Mapping' from 'collections'",
    "test": {"id": test, "framework": "pytest"},
    "runtime": {"python": "3.11", "install": ["pytest"]},
}
fields = {
    "type": "maestro.error.reported.v1",
    "source": "//ci.example/cart",
    # With an id, a repeated run of this job reports nothing twice.
    "id": f"4f1c2aa/{test}",
    "data": json.dumps(report),
}
with redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")) as client:
    print(client.xadd("automation:errors", fields).decode())
