#!/bin/sh
# Installs from the system's own packages what is missing for `make demo` or `make test`, and nothing else. For the tests it also has
# deploy/control-plane.sh build Kubernetes, once, unless another cluster is named or MAESTRO_TEST_CLUSTER=off leaves its tests out, and
# deploy/tools.sh fetch kubectl and Docker Compose where they are missing or too old.
#
#     deploy/setup.sh [demo|test]
#
# Does nothing, quickly, when nothing is missing. Never starts a service, nor leaves one running or enabled
# that it installed; a redis-server that is already on the machine is not touched. Ends with 69
# (EX_UNAVAILABLE of sysexits.h) and one sentence when it cannot do its work.
set -eu

purpose=${1:-demo}
case $purpose in
demo | test) ;;
*)
    echo "usage: deploy/setup.sh [demo|test]" >&2
    exit 64
    ;;
esac

say() { printf 'setup: %s\n' "$*" >&2; }
give_up() {
    say "$*"
    exit 69
}
have() { command -v "$1" >/dev/null 2>&1; }
here=$(cd "$(dirname "$0")" && pwd)

# Whether the tests will need the control plane that is built here.
builds_kubernetes() {
    [ "$purpose" = test ] && [ "${MAESTRO_TEST_CLUSTER:-}" != off ] && [ -z "${MAESTRO_TEST_KUBECONFIG:-}" ] || return 1
    for program in etcd kube-apiserver kube-controller-manager kube-scheduler; do
        [ -x "${KUBEBUILDER_ASSETS:-/nonexistent}/$program" ] || return 0
    done
    return 1
}

# The last step. It is kept under the home directory of whoever runs the tests, who is not root when sudo is at work.
end() {
    if [ -z "${SUDO_UID:-}" ] && builds_kubernetes; then
        sh "$here/control-plane.sh" >/dev/null || exit
    fi
    # Where they cannot be had, the tests that need them say so.
    [ "$purpose" != test ] || [ -n "${SUDO_UID:-}" ] || sh "$here/tools.sh" >/dev/null || true
    exit 0
}

# --- What is missing? --------------------------------------------------------------------------------------

missing=
need() { missing="$missing $1"; }
have cc || need compiler # rustc links through it, and it compiles tree-sitter and aws-lc
have redis-server || need redis
have redis-cli || need redis
have bwrap || need sandbox
have git || need git
python3 -c 'import venv, ensurepip' 2>/dev/null || need python
if [ "$purpose" = test ]; then
    have node || need node
    have npm || need node
    have promtool || need prometheus # what the fleet exports is looked at by the real ones
    have prometheus-pushgateway || need pushgateway
    have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql # Debian keeps it off the PATH
    have openssl || need openssl # the TLS tests make their own authority, and so does the control plane
fi
# Ubuntu has Debian's signing keys in a package of their own.
if builds_kubernetes && have apt-get && [ ! -r /usr/share/keyrings/debian-archive-keyring.gpg ]; then need debian-keys; fi
[ -n "$missing" ] || end

# --- Which packages are they here? -------------------------------------------------------------------------
# apt is the one that the project tries; the others are best effort.

if have apt-get; then manager=apt
elif have dnf; then manager=dnf
elif have pacman; then manager=pacman
elif have apk; then manager=apk
else
    give_up "this system has no package manager known here; please install:$missing (a C compiler, redis-server 7.0 or newer, bubblewrap, git, python3 with venv, node with npm, prometheus with promtool, prometheus-pushgateway), as far as named"
fi

packages=
for thing in $missing; do
    case $manager-$thing in
    apt-compiler) names="gcc libc6-dev" ;;
    apt-redis) names="redis-server" ;;
    apt-sandbox) names="bubblewrap" ;;
    apt-git) names="git" ;;
    apt-python) names="python3 python3-venv" ;;
    apt-node) names="nodejs npm" ;;
    apt-prometheus) names="prometheus" ;;
    apt-pushgateway) names="prometheus-pushgateway" ;;
    apt-postgresql) names="postgresql" ;;
    apt-debian-keys) names="debian-archive-keyring" ;;

    dnf-postgresql) names="postgresql-server" ;;
    *-postgresql) names="postgresql" ;;
    *-sandbox) names="bubblewrap" ;;
    *-git) names="git" ;;
    *-openssl) names="openssl" ;;
    *-prometheus) names="prometheus" ;;
    *-pushgateway) names="prometheus-pushgateway" ;;
    dnf-compiler) names="gcc glibc-devel" ;;
    dnf-redis) names="redis" ;;
    dnf-python) names="python3" ;;
    dnf-node) names="nodejs npm" ;;
    pacman-compiler) names="gcc" ;;
    pacman-redis) names="redis" ;;
    pacman-python) names="python" ;;
    pacman-node) names="nodejs npm" ;;
    apk-compiler) names="gcc musl-dev" ;;
    apk-redis) names="redis" ;;
    apk-python) names="python3" ;;
    apk-node) names="nodejs npm" ;;
    esac
    for name in $names; do
        case " $packages " in *" $name "*) ;; *) packages="$packages $name" ;; esac
    done
done
packages=${packages# }

# --- Who may install them? ---------------------------------------------------------------------------------

if [ "$(id -u)" -ne 0 ]; then
    self=$here/$(basename "$0")
    if have sudo && sudo -n true 2>/dev/null; then
        sudo -n sh "$self" "$purpose" || exit
        end
    fi
    root="sudo"
    have sudo || root="as root:"
    give_up "these packages are missing and only root may install them: $packages. Run this, then try again:
    $root sh $self $purpose"
fi

# --- Install, without starting anything --------------------------------------------------------------------

log=$(mktemp)
guard=/usr/sbin/policy-rc.d
guard_is_ours=
finish() {
    [ -z "$guard_is_ours" ] || rm -f "$guard"
    rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

failed() {
    if grep -qiE 'could not resolve|temporary failure|could not connect|cannot initiate|unable to connect|network is unreachable|unable to locate package|no installation candidate|timed out|bad address' "$log"; then
        give_up "could not fetch the packages $packages: the package mirror does not answer or does not have them; check the network and try again"
    fi
    tail -n 5 "$log" >&2
    give_up "installing $packages failed; the package manager's last words stand above"
}

say "installing $packages"
# shellcheck disable=SC2086 # the lists are words
case $manager in
apt)
    # Debian asks this script before any maintainer script starts a service; 101 says no. One that is already
    # there belongs to whoever runs this machine and stays; what it lets start is stopped below.
    if [ ! -e "$guard" ] && [ ! -L "$guard" ]; then
        guard_is_ours=yes
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod 755 "$guard"
    fi
    # Debian makes a database cluster when it installs the server, unless this says no. A file that is there already stays as it is.
    case " $packages " in
    *" postgresql "*)
        if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
            mkdir -p /etc/postgresql-common
            echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
        fi
        ;;
    esac
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    quick="-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=120"
    # An unreachable third party's list is no reason to stop.
    apt-get $quick -q update >"$log" 2>&1 || true
    apt-get $quick -q -y --no-install-recommends install $packages </dev/null >>"$log" 2>&1 || failed
    for service in redis-server prometheus prometheus-pushgateway postgresql; do
        case " $packages " in
        *" $service "*)
            if [ -d /run/systemd/system ]; then
                systemctl disable --now "$service" >/dev/null 2>&1 || true
            elif have update-rc.d; then
                service "$service" stop >/dev/null 2>&1 || true
                update-rc.d "$service" disable >/dev/null 2>&1 || true
            fi
            ;;
        esac
    done
    ;;
dnf) dnf -q -y --setopt=install_weak_deps=False install $packages </dev/null >"$log" 2>&1 || failed ;;
pacman) pacman -Sy --needed --noconfirm $packages </dev/null >"$log" 2>&1 || failed ;;
apk) apk add --no-progress $packages </dev/null >"$log" 2>&1 || failed ;;
esac
say "done"
finish
trap - EXIT
end
