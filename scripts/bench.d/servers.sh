# What one, two and three servers on one PostgreSQL do, and what a dead one costs. Sourced by scripts/bench. No Docker:
# each server has a simulated world of its own, in which calls take up to a second, behind the HAProxy of scripts/cluster.
# shellcheck shell=bash disable=SC2154 # scripts/bench sets what is used here
sites_scaled=100

cluster() { scripts/cluster --simulated --server "$rate_server" "$@" >>"$here/cluster.log"; }

measure_servers() {
    local n count
    say "servers: GETs and POSTs a second, $sites_scaled sites that get four more nodes each"
    for ((n = 1; n <= pairs; n++)); do
        for count in 1 2 3; do
            # Nothing of the run before is still on its way.
            cluster --purge
            cluster --servers "$count"
            printf '   '
            measure_of "$n-$count" "$count"
            echo
        done
    done
    cluster --servers 3
    say 'servers: one of three is killed, while a customer is read with a token'
    for ((n = 1; n <= pairs; n++)); do
        printf '   '
        kill_one "$((n % 3 + 1))"
        echo
    done
    cluster --purge
}

# measure_of RUN SERVERS: a customer of its own for each run.
measure_of() {
    register_as "bench-$1"
    call POST "/wpaas/$cid/default" "$key" '{"name": "bench", "admin_password": "not-used-but-long-enough"}' >/dev/null
    load "$api/wpaas/$cid/default/bench" --header "Authorization: Bearer $key"; took "get_$2" /s
    register_as "sites-$1"
    REPLY=$(python3 "$root/scripts/bench.d/converge.py" "$api" "/wpaas/$cid/default" "$key" "$sites_scaled")
    if [[ ! $REPLY ]]; then fail 'the sites do not come up' "The servers' logs are in $here/cluster."; fi
    took "scale_$2"
    RUN=$1 KEY=$key load "$api/wpaas/$cid/default" --script "$root/scripts/bench.d/post.lua"; took "post_$2" /s
}

# kill_one SERVER: how long the API fails behind HAProxy, and how long until its part of the sites is the others'.
kill_one() {
    local answer pid
    pid=$(<"$here/cluster/server-$1.pid")
    answer=$(TOKEN=$(<"$here/cluster/data-1/operator-token") python3 "$root/scripts/bench.d/failover.py" "$pid" \
        "$api/customers/$cid" "$(<"$here/cluster/data-$1/server-id")" "$postgres_folder")
    read -r REPLY answer <<<"$answer"
    took api_gap
    REPLY=$answer
    took takeover
    cluster --servers 3
}
