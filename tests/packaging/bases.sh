#!/bin/sh
# Stand-ins for the base images the Dockerfile and compose file name, for machines that can pull none: made of Debian's
# packages, imported under the same names. They take this machine's package settings and certificate authorities along.
#   bases.sh <work folder>      (DOCKER_HOST says which engine)
set -eu
work=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$work/root
. /etc/os-release
if [ ! -e "$root/.done" ]; then
    rm -rf "$root"
    # The mirror this machine installs from.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" "Created-By: Packages" | head -n 1)
    debootstrap --variant=minbase "$VERSION_CODENAME" "$root" "$mirror" >"$work/debootstrap.log" 2>&1
    rm -rf "$root/etc/apt/sources.list" "$root/var/cache/apt/archives"/*.deb
    cp /etc/apt/sources.list.d/*.sources "$root/etc/apt/sources.list.d/" 2>/dev/null || cp /etc/apt/sources.list "$root/etc/apt/"
    for file in /etc/apt/apt.conf.d/*; do
        case $(cat "$file") in *Acquire::*) cp "$file" "$root/etc/apt/apt.conf.d/" ;; esac
    done
    [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
    mkdir -p "$root/usr/local/share/ca-certificates"
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
    touch "$root/.done"
fi
tar -C "$root" --exclude=./.done -c . | docker import - debian:bookworm-slim >/dev/null
context=$work/context
rm -rf "$context"
mkdir -p "$context"
cp "$here/postgres-entrypoint.sh" "$context/"
cp "$here/Dockerfile.bases" "$context/Dockerfile"
for target in registry:2.8.3 postgres:17 redis:7; do
    docker build --quiet --target "${target%%:*}" -t "$target" "$context" >/dev/null
done
