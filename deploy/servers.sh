#!/bin/sh
# Runs the runtime's tests against Redis 8 and Valkey 8, from Debian 13's packages, on a Debian (or Ubuntu) of any age.
#
#     deploy/servers.sh [test|fetch]
#
# Nothing is installed: the packages are unpacked, with the C library that they were built for, under .maestro/servers (or
# $MAESTRO_SERVERS), and started through that library's own loader. apt checks Debian's signatures as always; the
# system's package lists and sources are neither read nor changed. Ends with 69 (EX_UNAVAILABLE of sysexits.h) and one sentence when
# the servers cannot be had here.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
servers=${MAESTRO_SERVERS:-$here/.maestro/servers}
mirror=${MAESTRO_DEBIAN_MIRROR:-http://deb.debian.org/debian}
keys=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'servers: %s\n' "$*" >&2; }
give_up() {
    say "$*"
    exit 69
}

# Writes a program that starts another one of $servers/root through the loader of its own C library. It stays one process.
wrap() { # the new program, Debian's
    mkdir -p "$(dirname "$servers/$1")"
    cat >"$servers/$1" <<WRAPPER
#!/bin/sh
exec '$loader' --library-path '$libraries' --argv0 '$(basename "$1")' '$servers/root/usr/bin/$2' "\$@"
WRAPPER
    chmod 755 "$servers/$1"
}

fetch() {
    [ ! -e "$servers/complete" ] || return 0
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        give_up "this is no Debian; start the tests with MAESTRO_TEST_REDIS_SERVER=/path/of/a/server instead"
    [ -r "$keys" ] || give_up "Debian's signing keys are missing: apt-get install debian-archive-keyring"
    rm -rf "$servers/apt" "$servers/root"
    mkdir -p "$servers/apt/lists/partial" "$servers/apt/cache/archives/partial" "$servers/root"
    # An empty list of installed packages makes apt fetch every library, down to the C library.
    : >"$servers/apt/status"
    echo "deb [signed-by=$keys] $mirror trixie main" >"$servers/apt/sources.list"
    cat >"$servers/apt/conf" <<CONF
Dir::State "$servers/apt";
Dir::State::status "$servers/apt/status";
Dir::Cache "$servers/apt/cache";
Dir::Etc::sourcelist "$servers/apt/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Acquire::Retries "1";
APT::Sandbox::User "$(id -un)";
CONF
    say "fetching Redis 8 and Valkey 8 from $mirror"
    {
        APT_CONFIG=$servers/apt/conf apt-get -q update &&
            APT_CONFIG=$servers/apt/conf apt-get -q -y --no-install-recommends -o Debug::NoLocking=1 \
                --download-only install redis-tools valkey-tools
    } >"$servers/apt/log" 2>&1 || {
        tail -n 3 "$servers/apt/log" >&2
        give_up "could not fetch the packages; apt's last words stand above"
    }
    for package in "$servers"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$servers/root"
    done
    libraries=$(dirname "$(find "$servers/root/usr/lib" -name libc.so.6)")
    loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
    # One program is server and checker, as its name tells it; the packages with the name of the server only add a service.
    wrap redis8/redis-server redis-check-rdb
    wrap redis8/redis-cli redis-cli
    wrap valkey8/redis-server valkey-check-rdb
    wrap valkey8/redis-cli valkey-cli
    rm -rf "$servers/apt"
    : >"$servers/complete"
}

run() {
    say "$("$servers/$1/redis-server" --version)"
    MAESTRO_TEST_REDIS_SERVER=$servers/$1/redis-server "${CARGO:-cargo}" test --locked --no-fail-fast --package maestro-streams
}

case ${1:-test} in
fetch) fetch ;;
test)
    fetch
    cd "$here"
    failed=
    for server in redis8 valkey8; do
        run $server || failed="$failed $server"
    done
    [ -z "$failed" ] || {
        say "failed against:$failed"
        exit 1
    }
    ;;
*)
    echo "usage: deploy/servers.sh [test|fetch]" >&2
    exit 64
    ;;
esac
