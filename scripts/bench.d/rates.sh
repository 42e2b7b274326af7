# P5 to P7 of scripts/bench, and what loads P11: how much the store and the API do in a second, side by side with a plain
# axum and sqlx, on SQLite or PostgreSQL. Sourced by scripts/bench. No Docker: the server runs on its simulated backend.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets what is used here
callers=256 seconds=3

build_rates() {
    local target
    target=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)
    ensure wrk wrk
    say 'building what is measured (some minutes the first time)'
    if wants_rates || wants postgres; then
        cargo build --locked --profile bench-server --package wpaas-examples --bin store_rates
        store_rates=$target/bench-server/store_rates
        cargo build --locked --release --manifest-path "$peers/db-bench/Cargo.toml" --target-dir "$state/bench-peers"
        db_bench=$state/bench-peers/release/db-bench
    fi
    rate_server=$server
    if [[ ! $rate_server ]]; then
        # Without Docker and S3; aside, since p8 to p10 build theirs in the same place.
        cargo build --locked --profile bench-server --package wpaas-server --bin wpaas-server --no-default-features
        rate_server=$here/wpaas-server
        cp "$target/bench-server/wpaas-server" "$rate_server"
    fi
}

# new_database: REPLY is the address of an empty database on the bench's PostgreSQL, or a folder for SQLite's.
databases=0
new_database() {
    if [[ $1 == sqlite ]]; then
        REPLY=$here/rates
        mkdir -p "$REPLY"
        return
    fi
    local url
    url=$(scripts/postgres start "$postgres_folder" | tail -n 1)
    databases=$((databases + 1))
    scripts/postgres sql "$postgres_folder" "CREATE DATABASE bench_$databases"
    REPLY=${url/postgres?host/bench_$databases?host}
}

# peer_insert sqlite|postgres: REPLY is how many rows a second the peer inserts, each durable before the next of its 32
# callers.
peer_insert() {
    local line place pattern='FULL autocommit insert.*conc +32 +([0-9]+) commits' kind=sqlite
    if [[ $1 == postgres ]]; then pattern='synchronous_commit=on autocommit insert.*conc +32 +([0-9]+) commits' kind=pg; fi
    new_database "$1"
    place=$REPLY REPLY=''
    while read -r line; do
        if [[ $line =~ $pattern ]]; then
            REPLY=${BASH_REMATCH[1]}
            break
        fi
    done < <(exec "$db_bench" "$kind" "$place")
    kill "$!" 2>/dev/null || true
    if [[ ! $REPLY ]]; then fail 'the peer tells no rate of its inserts'; fi
}

# store_rate sqlite|postgres status|post: REPLY is how many a second our store makes durable.
store_rate() {
    new_database "$1"
    REPLY=$("$store_rates" "$REPLY" "$2" "$callers" "$seconds")
}

# load URL [ARGUMENT…]: REPLY is the requests a second that wrk had answered with success.
load() {
    local report
    report=$(wrk --threads 1 --connections 32 --duration "${seconds}s" "${@:2}" "$1")
    if [[ $report == *Non-2xx* ]]; then fail "$1 refuses requests" "$report"; fi
    REPLY=$(awk '/^Requests\/sec/ {print int($2)}' <<<"$report")
}

start_rate_servers() { # sqlite|postgres
    local ours=() kind=serve-sqlite
    rm -rf "$here/data" "$here/rates"
    if [[ $1 == postgres ]]; then
        new_database "$1"
        ours=(--database "$REPLY") kind=serve-pg
    fi
    new_database "$1"
    # What is posted comes up beside the requests, as slowly as it would in earnest.
    launch "$here/server.pid" "$rate_server" --backend simulated --simulated-latency 1s --listen "127.0.0.1:$port" --report-listen "127.0.0.1:$report_port" \
        --data "$here/data" --log-filter warn --limits-principal-rate 0 "${ours[@]}" >"$here/server.log" 2>&1
    launch "$here/db-bench.pid" "$db_bench" "$kind" "$peer_port" "$REPLY" >"$here/db-bench.log" 2>&1
    for _ in {1..200}; do
        if curl -sf -o /dev/null "$api/readyz" && curl -s -o /dev/null "http://127.0.0.1:$peer_port/"; then return; fi
        sleep 0.1
    done
    fail 'the servers do not start' "Their logs are in $here."
}

end_rate_servers() {
    end "$here/server.pid" wpaas-server
    end "$here/db-bench.pid" db-bench
}

measure_on_postgres() {
    local only=p5,p6,p7
    measure_rates postgres
}

# measure_rates sqlite|postgres: the series on PostgreSQL are named so.
measure_rates() {
    local n of=''
    if [[ $1 == postgres ]]; then of=_pg; fi
    say "p5 to p7 on $1: a second's work"
    for ((n = 1; n <= pairs; n++)); do
        printf '   '
        # Anew: what the pair before has posted is still being brought up.
        start_rate_servers "$1"
        register
        call POST "/wpaas/$cid/default" "$key" '{"name": "bench", "admin_password": "not-used-but-long-enough"}' >/dev/null
        if wants p5 || wants p7; then peer_insert "$1"; took "insert$of" /s; fi
        if wants p5; then store_rate "$1" status; took "p5$of" /s; fi
        if wants p6; then
            load "http://127.0.0.1:$peer_port/wpaas/cus1/default/site-7" --header 'x-api-key: k1'; took "serve$of" /s
            load "$api/wpaas/$cid/default/bench" --header "Authorization: Bearer $key"; took "p6$of" /s
        fi
        if wants p7; then
            store_rate "$1" post; took "p7rows$of" /s
            RUN=$n KEY=$key load "$api/wpaas/$cid/default" --script "$root/scripts/bench.d/post.lua"; took "p7$of" /s
        fi
        echo
        end_rate_servers
    done
}
