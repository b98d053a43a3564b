#!/bin/sh
# What the stages of the Dockerfile do, in a script, so that it can be done and tried where there is no container engine.
#
#     deploy/image.sh programs DIRECTORY   build maestro and maestro-entry, linked statically, into DIRECTORY
#     deploy/image.sh root DIRECTORY       lay out what a worker needs of a file system beside its program
#     deploy/image.sh heal                 install git, Python, uv, Node and bubblewrap in this Debian, as root
#
# PROFILE is cargo's profile of maestro (release); TARGET the triple that is built for (this compiler's own); what else cargo
# reads, such as CARGO_NET_OFFLINE and CARGO_TARGET_DIR, it reads here too. Ends with 69 (EX_UNAVAILABLE of sysexits.h) and one sentence
# where something is missing.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)

# The installer of Python packages that the heal worker prefers; a wheel that holds one static program.
uv=0.13.9
# The newest that runs on Debian's Node 20.
npm=11.19.1

give_up() {
    printf 'image: %s\n' "$*" >&2
    exit 69
}

usage() {
    echo 'usage: deploy/image.sh programs DIRECTORY | root DIRECTORY | heal' >&2
    exit 64
}

# Linked statically, a program runs on any base, `scratch` included. By a GNU target it brings glibc's own resolver along, which reads
# /etc/resolv.conf and /etc/hosts as ever.
programs() {
    command -v cargo >/dev/null || give_up 'there is no cargo here; Rust 1.95 or newer is needed'
    triple=${TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
    profile=${PROFILE:-release}
    export RUSTFLAGS='-C target-feature=+crt-static'
    # With a target named, build scripts and procedural macros are linked as ever.
    cargo build --manifest-path "$here/Cargo.toml" --locked --target "$triple" --profile "$profile" --package maestro --bin maestro
    cargo build --manifest-path "$here/Cargo.toml" --locked --target "$triple" --profile entry --package maestro-entry --bin maestro-entry
    # cargo calls the directory of its profile `dev` debug.
    [ "$profile" != dev ] || profile=debug
    built=${CARGO_TARGET_DIR:-$here/target}/$triple
    mkdir -p "$1"
    install -m 755 "$built/$profile/maestro" "$built/entry/maestro-entry" "$1/"
    for program in "$1/maestro" "$1/maestro-entry"; do
        if readelf -d "$program" | grep -q NEEDED; then
            give_up "$program needs shared libraries, and was to be static"
        fi
    done
}

# A file system without a shell or a package manager: two users by name, the certificates of public authorities, and the directories
# that pods lay their volumes over.
root() {
    authorities=/etc/ssl/certs/ca-certificates.crt
    [ -r "$authorities" ] || give_up "$authorities is missing: apt-get install ca-certificates"
    install -d -m 755 "$1" "$1/etc" "$1/etc/ssl" "$1/etc/ssl/certs" "$1/etc/maestro" "$1/run" "$1/run/maestro" "$1/var" "$1/var/lib"
    install -d -m 1777 "$1/tmp"
    install -d -m 755 "$1/var/lib/maestro"
    # Root of a build alone can give it away; a pod lays a volume over it anyway.
    [ "$(id -u)" -ne 0 ] || chown 65532:65532 "$1/var/lib/maestro" "$1/run/maestro"
    install -m 644 "$authorities" "$1/etc/ssl/certs/"
    printf 'root:x:0:0:root:/:/sbin/nologin\nmaestro:x:65532:65532:maestro:/var/lib/maestro:/sbin/nologin\n' >"$1/etc/passwd"
    printf 'root:x:0:\nmaestro:x:65532:\n' >"$1/etc/group"
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$1/etc/nsswitch.conf"
    chmod 644 "$1/etc/passwd" "$1/etc/group" "$1/etc/nsswitch.conf"
}

heal() {
    [ "$(id -u)" -eq 0 ] || give_up 'packages are installed by root'
    command -v apt-get >/dev/null || give_up 'the base of the heal image is a Debian, and this is none'
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q -y --no-install-recommends install \
        bubblewrap ca-certificates git nodejs npm python3 python3-pip python3-venv util-linux
    # Debian's npm is some 300 packages; it fetches the one that replaces it, and goes.
    npm install --silent --global --prefix /usr/local "npm@$npm"
    apt-get -q -y purge --auto-remove npm
    # Debian marks its Python as its own, rightly; this one program is put beside it.
    PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --root-user-action=ignore "uv==$uv"
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /root/.npm
    groupadd --gid 65532 maestro
    useradd --uid 65532 --gid 65532 --home-dir /var/lib/maestro --no-create-home --shell /usr/sbin/nologin maestro
    install -d -o 65532 -g 65532 /var/lib/maestro /run/maestro
    install -d /etc/maestro
}

case ${1:-} in
programs | root)
    [ $# -eq 2 ] || usage
    "$1" "$2"
    ;;
heal)
    [ $# -eq 1 ] || usage
    heal
    ;;
*) usage ;;
esac
