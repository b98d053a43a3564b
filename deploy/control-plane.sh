#!/bin/sh
# A real Kubernetes control plane for the tests, built once and kept: etcd, kube-apiserver, kube-controller-manager,
# kube-scheduler, kubemark (a hollow node: kubelet code, made-up containers) and kubectl.
#
#     deploy/control-plane.sh            builds it unless it is there, and prints its directory
#     deploy/control-plane.sh where      prints its directory, built or not
#
# Kubernetes 1.20.2 is the newest that Debian carries with everything it needs to be built without a network: its source
# and Go come from Debian 12's packages, on a Debian or Ubuntu of any age. Nothing is installed and root is not asked for: the packages
# are unpacked, apt checks Debian's signatures as always, and the system's package lists and sources are neither read nor changed
# (save for the mirror's address). It takes 5 to 12 minutes, 3 GB while it runs and 400 MB afterwards, under
# $XDG_CACHE_HOME/maestro (~/.cache/maestro): `cargo clean` must not throw it away. Ends with 69 (EX_UNAVAILABLE of sysexits.h) and
# one sentence when it cannot be built here.
set -eu

version=1.20.2
# What is built differs when the steps below do; then this rises, and the cached one is left alone.
recipe=1
programs="etcd kube-apiserver kube-controller-manager kube-scheduler kubemark kubectl"

say() { printf 'control plane: %s\n' "$*" >&2; }
give_up() {
    say "$*"
    say "the tests also take any cluster's kubeconfig in MAESTRO_TEST_KUBECONFIG, or programs in the directory KUBEBUILDER_ASSETS; MAESTRO_TEST_CLUSTER=off leaves these tests out"
    exit 69
}
have() { command -v "$1" >/dev/null 2>&1; }

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/maestro/control-plane
built=$cache/$version-$recipe

case ${1:-build} in
where)
    echo "$built"
    exit 0
    ;;
build) ;;
*)
    echo "usage: deploy/control-plane.sh [build|where]" >&2
    exit 64
    ;;
esac

if [ -e "$built/complete" ]; then
    echo "$built"
    exit 0
fi

# --- Can it be built here? ---------------------------------------------------------------------------------

keys=/usr/share/keyrings/debian-archive-keyring.gpg
{ have apt-get && have dpkg-deb; } ||
    give_up "Kubernetes is built from Debian's packages and this system has no apt-get and dpkg-deb"
[ -r "$keys" ] || give_up "Debian's signing keys are missing: apt-get install debian-archive-keyring"
case $(dpkg --print-architecture) in
amd64 | arm64) ;;
*) give_up "Kubernetes $version builds on amd64 and arm64 only" ;;
esac
mkdir -p "$cache" || give_up "the directory $cache cannot be made"
free=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
[ "$free" -ge 4000000 ] || give_up "the build needs 4 GB in $cache and only $((free / 1000000)) GB are free"

# Two test runs that start at the same time build one. The lock goes with the process, however that ends.
if have flock; then
    exec 9>"$cache/lock"
    flock -n 9 || {
        say "another process is building it; waiting for that one"
        flock 9
    }
    if [ -e "$built/complete" ]; then
        echo "$built"
        exit 0
    fi
    rm -rf "$cache"/.build.* # of one that was killed
fi

work=$(mktemp -d "$cache/.build.XXXXXX")
log=$work/log
finish() {
    # Go makes some of its directories read-only.
    chmod -R u+w "$work" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

failed() { # what was tried
    tail -n 5 "$log" >&2
    give_up "$* failed; the last words stand above"
}

# --- Fetch, by lists and sources of our own -----------------------------------------------------------------

mirror=${MAESTRO_DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
    # The one that this machine uses, if it is a Debian's.
    mirror=$(apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*/debian\)/*/dists/[a-z]*/InRelease'.*|\1|p" | head -n 1)
    mirror=${mirror:-http://deb.debian.org/debian}
fi

root=$work/root
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/fetched" "$root"
: >"$work/apt/status"
for kind in deb deb-src; do
    echo "$kind [signed-by=$keys] $mirror bookworm main"
done >"$work/apt/sources.list"
cat >"$work/apt/conf" <<CONF
Dir::State "$work/apt";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
APT::Sandbox::User "$(id -un)";
Debug::NoLocking "1";
CONF
export APT_CONFIG="$work/apt/conf"

say "fetching Go, etcd and Kubernetes' source from $mirror (140 MB)"
(
    apt-get -q update &&
        cd "$work/fetched" &&
        apt-get -q download etcd-server kubernetes-client \
            golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev &&
        apt-get -q source --download-only kubernetes
) >"$log" 2>&1 || failed "fetching Debian 12's packages from $mirror"
for package in "$work"/fetched/*.deb; do
    dpkg-deb -x "$package" "$root" >>"$log" 2>&1 || failed "unpacking $package"
done

# --- Prepare the source -------------------------------------------------------------------------------------

# The build has no network, no settings of the user's, and leaves nothing outside its directory.
unset GOFLAGS GOOS GOARCH GOBIN GOEXPERIMENT GOTMPDIR 2>/dev/null || true
export GOROOT="$root/usr/lib/go-1.19" GOPATH="$work/go" GOCACHE="$work/gocache" HOME="$work"
export GO111MODULE=off GOPROXY=off GOENV=off CGO_ENABLED=0
go=$GOROOT/bin/go
# In this mode the directory is the package's name.
source=$GOPATH/src/k8s.io/kubernetes
mkdir -p "$source" "$work/bin"
tar -xzf "$work"/fetched/kubernetes_*really$version.orig.tar.gz -C "$source" --strip-components=1 >>"$log" 2>&1 ||
    failed "unpacking the source of Kubernetes $version"
cd "$source"
# The vendored 1.0.1 knows maps as they were before Go 1.18: the API server crashes under load.
rm -rf vendor/github.com/modern-go/reflect2
cp -R "$root/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/

# The one generated file that the source does not carry, made as build/root/Makefile.generated_files would.
say "generating the OpenAPI definitions"
$go build -o "$work/bin/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen >>"$log" 2>&1 ||
    failed "building the OpenAPI generator"
# vendor/k8s.io/* are links.
inputs=$(find -L cmd pkg vendor/k8s.io -name '*.go' -exec grep -l '+k8s:openapi-gen=' {} + |
    sed -e '/^vendor\/k8s.io\/code-generator\//d' -e '/^vendor\/k8s.io\/sample-apiserver\//d' \
        -e 's,^,k8s.io/kubernetes/,' -e 's,/[^/]*$,,' | LC_ALL=C sort -u | paste -s -d , -)
"$work/bin/openapi-gen" --logtostderr --input-dirs "$inputs" \
    --output-package k8s.io/kubernetes/pkg/generated/openapi --output-file-base zz_generated.openapi \
    --go-header-file vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
    --report-filename "$work/violations" >>"$log" 2>&1 || failed "generating the OpenAPI definitions"
rm "$work/bin/openapi-gen"

# --- Build --------------------------------------------------------------------------------------------------

commands="./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler ./cmd/kubemark"
# As hack/lib/version.sh: the programs tell their release from one of these packages, and the API server's /version from the other.
stamps=
for package in client-go/pkg component-base; do
    stamp=k8s.io/kubernetes/vendor/k8s.io/$package/version
    stamps="$stamps -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=20"
done
# shellcheck disable=SC2086 # the commands are words
total=$($go list -deps $commands 2>>"$log" | wc -l) || failed "reading the source"
say "building Kubernetes $version, once; 5 to 12 minutes on two cores"
# Go names each package as it comes to it.
show() {
    terminal=
    [ ! -t 2 ] || terminal=yes
    awk -v total="$total" -v terminal="$terminal" -v log_file="$log" '
        { print >log_file; fflush(log_file) }
        /^[a-z0-9.\/_-]+$/ {
            percent = int(++n * 100 / total)
            if (percent > 100) percent = 100
            if (terminal) printf "\rcontrol plane: %3d %% built", percent
            else if (percent >= said + 10) { said = percent - percent % 10; print "control plane: " said " % built" }
            fflush()
        }
        END { if (terminal) printf "\r                            \r" }' >&2
}
# POSIX has no pipefail; a file says how the first command of the pipe ended.
# shellcheck disable=SC2086 # the commands are words
{
    nice $go build -v -trimpath -o "$work/bin/" \
        -ldflags "-s -w$stamps" \
        $commands 2>&1 && : >"$work/ok"
} | show
[ -e "$work/ok" ] || failed "building Kubernetes $version"

# --- Keep ---------------------------------------------------------------------------------------------------

cp "$root/usr/bin/etcd" "$root/usr/bin/kubectl" "$work/bin/"
for program in $programs; do
    [ -x "$work/bin/$program" ] || give_up "the build did not make $program"
done
"$work/bin/kube-apiserver" --version >>"$log" 2>&1 || failed "starting the kube-apiserver just built"
: >"$work/bin/complete"
# A directory without its mark is what a killed run of an older script may have left.
rm -rf "$built"
mv "$work/bin" "$built"
say "it is in $built"
echo "$built"
