#!/bin/sh
# Render the configuration from the environment and run nginx.
set -eu
if [ "${HARBOR_TLS:-off}" = self-signed ]; then
    HARBOR_TLS=/secrets/tls/server.crt,/secrets/tls/server.key
    export HARBOR_TLS
fi
mkdir -p /run/harbor/gateway /run/harbor/authz
python3 -B -m harbor_core.gateway >/run/harbor/nginx.conf
exec nginx -c /run/harbor/nginx.conf -p /run/harbor -e stderr
