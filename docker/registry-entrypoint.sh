#!/bin/sh
# Render the configuration from the environment and run the registry.
set -eu
umask 027
if [ -z "${HARBOR_REGISTRY_HTTP_SECRET:-}${HARBOR_REGISTRY_HTTP_SECRET_FILE:-}" ]; then
    export HARBOR_REGISTRY_HTTP_SECRET_FILE=/secrets/registry_http_secret
fi
python3 -B -m harbor_core.registry_config >/run/harbor/registry.yml
# The rendered file decides; variables of this name would override it.
unset $(env | sed -n 's/^\(REGISTRY_[A-Z0-9_]*\)=.*/\1/p') 2>/dev/null || true
exec registry serve /run/harbor/registry.yml
