# Whether visitors notice: wrk asks a site of two instances for pages that no cache holds, for a minute each, while
# something is done to it. Sourced by scripts/bench.
# shellcheck shell=bash
git_port=${WPAAS_BENCH_GIT_PORT:-18093} steady_lost=0

# steady_code TEXT: the site's code is a plugin that shows this.
steady_code() {
    local work=$here/code
    mkdir -p "$work/mu-plugins"
    if [[ ! -d $work/.git ]]; then git -C "$work" init --quiet --initial-branch=main; fi
    printf "<?php add_action('wp_footer', function () { echo '%s'; });\n" "$1" >"$work/mu-plugins/steady.php"
    git -C "$work" add .
    git -C "$work" -c user.name=bench -c user.email=bench@example.com commit --quiet --message "$1"
}

serve_code() {
    steady_code release-one
    launch "$here/git.pid" git daemon --reuseaddr --listen=127.0.0.1 --port="$git_port" --base-path="$here" --export-all \
        >"$here/git.log" 2>&1
}

site_call() { call "$1" "/wpaas/$cid/default/steady$2" "$key" "${3-}" >"$here/site.json"; }

kill_nodes() {
    local n
    for n in 0 1 0 1; do
        docker kill "$(node "wordpress-$n")" >/dev/null
        settled steady
        sleep 8
    done
}

scale_to() {
    site_call PUT '' "{\"num_instances\": $1}"
    settled steady
}

scale_there_and_back() { scale_to 4; scale_to 2; }

new_release() {
    steady_code release-two
    site_call POST /releases '{}'
    first "$EPOCHREALTIME" "$url" release-two >/dev/null
    settled steady
}

# under_load WHAT COMMAND: a minute of wrk, five seconds into which the command is begun.
under_load() {
    local asked lost p99
    wrk --threads 1 --connections 8 --duration "${WPAAS_BENCH_STEADY_SECONDS:-60}s" --timeout 30s --latency "${url}?steady=1" >"$here/wrk.log" & local wrk=$!
    sleep 5
    "$2"
    wait "$wrk" || fail 'wrk failed' "$(<"$here/wrk.log")"
    asked=$(sed -n 's/^ *\([0-9]*\) requests in.*/\1/p' "$here/wrk.log")
    p99=$(sed -n 's/^ *99% *//p' "$here/wrk.log")
    lost=$(awk '/Socket errors/ { gsub(",", ""); n += $4 + $6 + $8 + $10 } /Non-2xx/ { n += $NF } END { print n + 0 }' "$here/wrk.log")
    steady_lost=$((steady_lost + lost))
    printf '    %-24s %7s pages, %s lost, 99th percentile %s\n' "$1" "$asked" "$lost" "$p99"
}

# steady_held: fails if visitors noticed more than they may.
steady_held() {
    if ((steady_lost)); then fail "$steady_lost pages were lost"; fi
    if jq -e '.measures[] | select(.measure == "killed gateway") | .met == false' "$here/result.json" >/dev/null; then
        fail 'a killed gateway was away for longer than 1.5 s'
    fi
}

measure_steady() {
    local n
    call POST "/wpaas/$cid/default" "$key" "{\"name\": \"steady\", \"title\": \"$title\", \"num_instances\": 2, \"database\": {\"num_instances\": 3}, \"code\": {\"git\": \"git://127.0.0.1:$git_port/code\", \"ref\": \"main\"}, \"admin_password\": \"not-used-but-long-enough\"}" >"$here/site.json"
    for ((n = 0; n < 60; n++)); do
        url=$(call GET "/wpaas/$cid/default/steady" "$key" | jq -r '.status.url // empty')
        if [[ $url ]]; then break; fi
        sleep 1
    done
    first "$EPOCHREALTIME" "$url" release-one >/dev/null
    settled steady
    say 'steady: pages that no cache holds, for a minute each, and what is done meanwhile'
    under_load 'nodes killed, one of two' kill_nodes
    settled steady
    under_load '2, 4 and 2 instances' scale_there_and_back
    under_load 'a new release' new_release
    say 'gateway: killed, to the next page'
    printf '   '
    for ((n = 1; n <= pairs; n++)); do
        hurt steady gateway-0 kill; took gateway
    done
    echo
    delete_site steady
}
