#!/usr/bin/env bash
# Makes the picture of `maestro top` that the README shows: a fleet of its own in a new directory, real failing tests to heal, a message
# that nobody can read, and one frame while the heals run. Wants what the heal worker wants (bubblewrap, Python, a package index).
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
size=100x26
target=${1:-$here/docs/pictures/top.svg}

cd "$here"
cargo build --locked --quiet --package maestro --bin maestro --example picture
built=$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/debug

place=$(mktemp -d /tmp/maestro-picture.XXXXXX)
fleet=
more=
leave() {
  for process in $more $fleet; do
    kill -TERM "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  rm -rf "$place"
}
trap leave EXIT
cd "$place"
maestro=$built/maestro

mkdir shop
for n in 1 2 3 4 5 6; do
  printf 'from collections import Mapping\n\ndef test_cart_%s():\n    assert issubclass(dict, Mapping)\n' "$n" >"shop/test_cart_$n.py"
done

HOSTNAME=ci-1 "$maestro" up --heal-concurrency 1 >up.out 2>up.err &
fleet=$!
for _ in $(seq 100); do
  grep -q 'The fleet is up' up.out && break
  kill -0 "$fleet" || { cat up.err >&2; exit 1; }
  sleep 0.1
done
HOSTNAME=ci-2 "$maestro" worker heal --root "$place" --concurrency 2 --work-dir more/work --cache-dir more/cache >worker.out 2>worker.err &
more=$!

report() {
  printf '{ "project": { "repository": "%s/shop" }, "kind": "test_failure", "message": "ImportError: cannot import name Mapping from collections", "test": { "id": "test_cart_%s.py::test_cart_%s", "framework": "pytest" }, "runtime": { "install": ["pytest"] } }' "$place" "$1" "$1"
}
# The first one fills the caches; its verdict is in sight when the others run.
"$maestro" publish --type error.reported --data "$(report 1)" --id build-7.1 --correlation-id build-7 >published.out
"$maestro" watch --correlation build-7 --until 1 --timeout 3m >watched.out
# It looks while they come in.
mkdir -p "$(dirname "$target")"
"$maestro" top --once --samples 16 --interval 500ms --size "$size" --color always >frame.ansi &
looking=$!
sleep 2
redis-cli -s .maestro/redis.sock XADD automation:errors '*' type maestro.error.reported.v1 id build-7.9 correlationid build-7 data '{"kind":"test_failure"}' >/dev/null
for n in 2 3 4 5 6; do
  "$maestro" publish --type error.reported --data "$(report "$n")" --id "build-7.$n" --correlation-id build-7 >>published.out
done
wait "$looking"
"$built/examples/picture" "$size" <frame.ansi >"$target"
echo "$target"
