#!/bin/sh
# kubectl and Docker Compose for the tests of the deployment, from Debian 13's packages, on a Debian or Ubuntu of any age.
#
#     deploy/tools.sh            fetches what is missing on the PATH or too old, and prints the directory; nothing if nothing is
#     deploy/tools.sh where      prints the directory, fetched or not
#
# Nothing is installed: the packages are unpacked under $XDG_CACHE_HOME/maestro (~/.cache/maestro). apt checks Debian's signatures as always;
# the system's package lists and sources are neither read nor changed. Ends with 69 (EX_UNAVAILABLE of sysexits.h) and one sentence
# when they cannot be had here.
set -eu

# Rises when what is fetched changes.
recipe=1
tools=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/maestro/tools/$recipe
mirror=${MAESTRO_DEBIAN_MIRROR:-http://deb.debian.org/debian}
keys=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'tools: %s\n' "$*" >&2; }
give_up() {
    say "$*"
    exit 69
}

# Components of Kustomize came into kubectl with 1.21, whose version names its Kustomize.
has_kubectl() { kubectl version --client --output json 2>/dev/null | grep -q '"kustomizeVersion": *"v[4-9]'; }
has_compose() {
    docker compose version --short 2>/dev/null | grep -q '^v\?[2-9]' || docker-compose version --short 2>/dev/null | grep -q '^v\?[2-9]'
}

case ${1:-fetch} in
where)
    echo "$tools"
    exit 0
    ;;
fetch) ;;
*)
    echo 'usage: deploy/tools.sh [fetch|where]' >&2
    exit 64
    ;;
esac

packages=
has_kubectl || [ -x "$tools/kubectl" ] || packages="$packages kubectl"
has_compose || [ -x "$tools/docker-compose" ] || packages="$packages docker-compose"
if [ -n "$packages" ]; then
    { command -v apt-get && command -v dpkg-deb; } >/dev/null ||
        give_up "this is no Debian; please install kubectl 1.21 and Docker Compose 2, or newer"
    [ -r "$keys" ] || give_up "Debian's signing keys are missing: apt-get install debian-archive-keyring"
    mkdir -p "$tools"
    work=$(mktemp -d "$tools/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
    : >"$work/status"
    echo "deb [signed-by=$keys] $mirror trixie main" >"$work/sources.list"
    cat >"$work/conf" <<CONF
Dir::State "$work";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Acquire::Retries "1";
APT::Sandbox::User "$(id -un)";
CONF
    say "fetching$packages from $mirror"
    # shellcheck disable=SC2086 # the list is words
    { APT_CONFIG=$work/conf apt-get -q update && cd "$work" && APT_CONFIG=$work/conf apt-get -q download $packages; } >"$work/log" 2>&1 || {
        tail -n 3 "$work/log" >&2
        give_up "could not fetch the packages$packages; apt's last words stand above"
    }
    for package in "$work"/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    for program in usr/bin/kubectl usr/libexec/docker/cli-plugins/docker-compose; do
        if [ -x "$work/root/$program" ]; then mv "$work/root/$program" "$tools/"; fi
    done
    # Built for a later C library than a very old system has, they would not start.
    for start in "kubectl version --client" "docker-compose version"; do
        # shellcheck disable=SC2086 # the rest is words
        [ ! -e "$tools/${start%% *}" ] || "$tools/${start%% *}" ${start#* } >/dev/null ||
            give_up "${start%% *} of Debian 13 does not run here; please install one of kubectl 1.21 and Docker Compose 2, or newer"
    done
fi
echo "$tools"
