# shellcheck shell=bash
# Servers on fresh databases, for the scripts that source this file after scripts/lib/postgres.sh.
#
# The script gives `work`, a folder of its own, and `say` and `fail`; its trap calls stop_servers. start_server sets
# server_address and server_key.

server_address=
server_key=
server_processes=()
made_databases=()

# The program that PHAROS_TEST_BINARY names, else a debug build.
find_program() {
    if [ -z "${PHAROS_TEST_BINARY:-}" ]; then
        cargo build --quiet --bin pharos || fail "the build failed"
        PHAROS_TEST_BINARY=$(cd "$CARGO_TARGET_DIR" && pwd)/debug/pharos
    fi
}

stop_servers() {
    local process name
    for process in "${server_processes[@]}"; do kill "$process" 2>/dev/null || true; done
    wait "${server_processes[@]}" 2>/dev/null || true
    for name in "${made_databases[@]}"; do
        administer "DROP DATABASE IF EXISTS $name WITH (FORCE)" >/dev/null 2>&1 || true
    done
}

# psql of the cluster's own programs, else of the system.
administer() {
    local psql=psql
    if [ -n "$programs" ] && [ -x "$programs/psql" ]; then psql=$programs/psql; fi
    "$psql" -X -q -v ON_ERROR_STOP=1 -d "$TEST_DATABASE_URL" -c "$1"
}

# Whether there is a PostgreSQL: TEST_DATABASE_URL, else the machine's own programs.
find_postgres() {
    if [ -n "${TEST_DATABASE_URL:-}" ]; then
        postgres_source=TEST_DATABASE_URL
    elif find_programs; then
        use_programs
    else
        return 1
    fi
}

# The URL of a fresh database of a kind, sqlite or postgres, in fresh_database.
make_database() {
    if [ "$1" = sqlite ]; then
        mkdir -p "$work/sqlite"
        fresh_database="sqlite://$work/sqlite/pharos-$RANDOM.db?mode=rwc"
        return
    fi
    local name=pharos_script_$$_$RANDOM
    administer "CREATE DATABASE $name" || fail "no database can be made in TEST_DATABASE_URL"
    made_databases+=("$name")
    # The path of the URL is replaced, its parameters stay.
    fresh_database=$(printf '%s' "$TEST_DATABASE_URL" | sed -E "s#^([a-z]+://[^/?]*)(/[^?]*)?#\\1/$name#")
}

# A server on a database of this URL, without limits of requests and without word of slow statements, and the admin key
# of its first start.
start_server() {
    local home output attempt
    home=$(mktemp -d "$work/server.XXXXXX")
    output=$home/output
    # The server's own redirection may come after the first look.
    : >"$output"
    DATABASE_URL=$1 PHAROS_DATA_DIR=$home PHAROS_LISTEN=127.0.0.1:0 PHAROS_RATE_LIMIT_KEY=off \
        PHAROS_RATE_LIMIT_ADDRESS=off PHAROS_RATE_LIMIT_FAILURES=off SLOW_QUERY_THRESHOLD=1h RUST_LOG=warn \
        "$PHAROS_TEST_BINARY" serve >"$output" 2>"$home/log" &
    server_processes+=($!)
    server_log=$home/log
    for ((attempt = 0; attempt < 300; attempt++)); do
        server_address=$(sed -nE 's#^Pharos serves (http://[^ ]+).*#\1#p' "$output")
        server_key=$(sed -nE 's#^ +(ph_[A-Za-z0-9_-]+)$#\1#p' "$output")
        if [ -n "$server_address" ] && [ -n "$server_key" ]; then return; fi
        kill -0 "${server_processes[-1]}" 2>/dev/null || fail "the server did not start: $(tail -n 5 "$home/log")"
        sleep 0.1
    done
    fail "the server printed no address and key"
}
