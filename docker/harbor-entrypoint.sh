#!/bin/sh
# One image, several roles: core (default), waiting, worker, beat, exporter, init, migrate, wait, manage <command>.
# Secrets that `init` made count unless they are given in the environment.
set -eu
role=${1:-core}
[ $# -eq 0 ] || shift

from_init() { # variable file
    eval "given=\${$1:-}\${$1_FILE:-}"
    [ -n "$given" ] || [ ! -e "/secrets/$2" ] || export "$1_FILE=/secrets/$2"
}

if [ "$role" != init ]; then
    from_init HARBOR_SECRET_KEY secret_key
    from_init HARBOR_REGISTRY_HTTP_SECRET registry_http_secret
    from_init HARBOR_DATABASE_URL database_url
    [ -n "${HARBOR_CA_FILE:-}" ] || [ ! -e /secrets/tls/ca.crt ] || export HARBOR_CA_FILE=/secrets/tls/ca.crt
fi

# Between the roles: this one shows its certificate to those who call it.
case $role:${INTERNAL_TLS_ENABLED:-} in
*: | *:[Ff]alse | *:off | *:no | *:0) ;;
core:* | waiting:* | exporter:*)
    set -- --certfile "$INTERNAL_TLS_CERT_PATH" --keyfile "$INTERNAL_TLS_KEY_PATH" "$@" ;;
esac

level=$(printf %s "${HARBOR_LOG_LEVEL:-info}" | tr '[:upper:]' '[:lower:]')

case $role in
core|waiting)
    workers=${HARBOR_CORE_WORKERS:-2} threads=${HARBOR_CORE_THREADS:-8}
    if [ "$role" = waiting ]; then # so many at work, and seven times as many in line (harbor_core.lib.turns)
        workers=${HARBOR_CORE_WORKERS:-1} threads=$((8 * ${HARBOR_WAITING_THREADS:-48}))
    fi
    # Numbers for Prometheus at a port of their own: each copy of core has its own.
    [ -z "${HARBOR_CORE_METRICS:-}" ] || set -- --bind "$HARBOR_CORE_METRICS" "$@"
    exec python -m gunicorn harbor_core.wsgi:application --bind "${HARBOR_CORE_LISTEN:-0.0.0.0:8000}" \
        --worker-class gthread --workers "$workers" --threads "$threads" \
        --keep-alive 75 --timeout 120 --graceful-timeout 25 --worker-tmp-dir /dev/shm --no-control-socket \
        --limit-request-line 0 --limit-request-field_size 32768 --backlog 2048 --log-level "$level" \
        --logger-class harbor_core.lib.gunicorn_logs.Logger "$@"
    ;;
worker)
    exec celery --quiet -A harbor_core.celery:app worker --pool threads --concurrency "${HARBOR_WORKER_THREADS:-10}" \
        --without-gossip --without-mingle --loglevel "$level" "$@"
    ;;
beat)
    exec celery --quiet -A harbor_core.celery:app beat --pidfile "" --schedule /tmp/beat-schedule --loglevel "$level" "$@"
    ;;
exporter)
    exec python -m gunicorn harbor_core.exporter:application --bind "${HARBOR_EXPORTER_LISTEN:-0.0.0.0:8001}" \
        --worker-class gthread --workers 1 --threads 4 --timeout 120 --worker-tmp-dir /dev/shm --no-control-socket \
        --log-level "$level" --logger-class harbor_core.lib.gunicorn_logs.Logger "$@"
    ;;
init)
    HARBOR_BUILD=1 exec python manage.py init_secrets --folder "${HARBOR_SECRETS_DIR:-/secrets}" "$@"
    ;;
migrate)
    python manage.py migrate --noinput --verbosity 1
    exec python manage.py bootstrap
    ;;
wait)
    # Until the schema is that of this release; what must not run before waits here.
    until python manage.py migrate --check >/dev/null 2>&1; do
        echo "harbor: waiting for the database and its schema" >&2
        sleep 3
    done
    ;;
manage)
    exec python manage.py "$@"
    ;;
*)
    echo "harbor: unknown role $role; one of core, waiting, worker, beat, exporter, init, migrate, wait, manage" >&2
    exit 2
    ;;
esac
