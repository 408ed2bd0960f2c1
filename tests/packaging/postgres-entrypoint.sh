#!/bin/sh
# What the official image does with POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD_FILE at the first start.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --auth-host=scram-sha-256 --auth-local=peer --username=postgres >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl -o "-c listen_addresses= -c unix_socket_directories=/tmp" -w start >/dev/null
    password=$(cat "$POSTGRES_PASSWORD_FILE")
    psql -h /tmp -q -U postgres -c "CREATE ROLE $POSTGRES_USER LOGIN SUPERUSER PASSWORD '$password'"
    createdb -h /tmp -U postgres -O "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl -m fast -w stop >/dev/null
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
