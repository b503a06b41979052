# shellcheck shell=bash
# A throwaway PostgreSQL cluster from the machine's own programs, for the scripts that source this file.
#
# The script gives `work`, a folder of its own, and `say` and `fail`; its trap calls stop_cluster. use_programs sets
# TEST_DATABASE_URL and postgres_source.

programs=
cluster=
server_user=
postgres_source=

stop_cluster() {
    if [ -n "$cluster" ] && [ -e "$cluster/data/postmaster.pid" ]; then
        as_server_user "$programs/pg_ctl" -D "$cluster/data" -m immediate stop >/dev/null 2>&1 || true
    fi
}

find_programs() {
    local folder
    if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
        programs=$(dirname "$(command -v initdb)")
        return 0
    fi
    while IFS= read -r folder; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ]; then
            programs=$folder
            return 0
        fi
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin | sort -rV)
    return 1
}

# PostgreSQL refuses to run as root.
as_server_user() (
    cd "$cluster"
    if [ "$(id -u)" -ne 0 ]; then
        exec "$@"
    elif command -v setpriv >/dev/null; then
        exec setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups -- "$@"
    elif command -v runuser >/dev/null; then
        exec runuser -u "$server_user" -- "$@"
    else
        exec su "$server_user" -s /bin/sh -c "$(printf '%q ' "$@")"
    fi
)

initialise_cluster() {
    as_server_user "$programs/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --no-sync "$@" \
        >"$cluster/initdb.log" 2>&1
}

# A port nobody listens on, below the range from which clients take theirs.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

use_programs() {
    local port attempt version
    unset PHAROS_TEST_POSTGRES
    cluster=$work
    server_user=$(id -un)
    if [ "$(id -u)" -eq 0 ]; then
        server_user=postgres
        if ! id -u "$server_user" >/dev/null 2>&1; then server_user=nobody; fi
        chown "$server_user" "$cluster"
    fi

    # A dictionary order by default shows up every ORDER BY that forgot to name the byte order.
    if ! initialise_cluster --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US; then
        rm -rf "$cluster/data"
        initialise_cluster --locale=C || fail "initdb failed: $(tail -n 5 "$cluster/initdb.log")"
    fi
    cat >>"$cluster/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$cluster'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
CONF

    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        if as_server_user "$programs/pg_ctl" -D "$cluster/data" -l "$cluster/server.log" -o "-p $port" -w -t 60 start \
            >/dev/null 2>&1; then
            version=$("$programs/initdb" --version | sed 's/^[^0-9]*\([0-9.]*\).*/\1/')
            export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres"
            postgres_source="a throwaway cluster of PostgreSQL $version"
            say "PostgreSQL comes from $programs: $postgres_source on port $port"
            return
        fi
    done
    fail "no PostgreSQL after $attempt attempts: $(tail -n 5 "$cluster/server.log" 2>&1)"
}

install_programs() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "no PostgreSQL: install its server (Debian, Ubuntu: sudo apt-get install postgresql), start Docker, or set TEST_DATABASE_URL"
    fi
    say "installing the package postgresql"
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
    find_programs || fail "the package postgresql is installed, but neither PATH nor /usr/lib/postgresql has its initdb"
}
