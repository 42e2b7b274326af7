#!/bin/bash
# A gateway: HAProxy with empty slots, and this agent, which makes `routes` and `authorities` so within
# a tenth of a second of a change, over the admin socket, and reports what HAProxy sees. A revision is
# reported once all of it is in force. TERM lets what is under way end, for 20 seconds at most.
# shellcheck source=agent.sh
. /usr/local/lib/wpaas/agent.sh
list=/run/wpaas/authorities
phase=starting revision='' error='' servers='' stopping='' next_look=0 fast_until=0
routes='' authorities=''
declare -A listed=() up=()

publish() {
    local number
    json "$revision"; number=$REPLY
    json "$error"
    body="{\"boot\":\"$boot\",\"gateway\":{\"phase\":\"$phase\",\"revision\":$number,\"servers\":{$servers},\"error\":$REPLY}}"
}

# admin COMMANDS: sends a line of commands; `answer` has the lines that come back.
admin() {
    local socket
    answer=()
    { exec {socket}<>/dev/tcp/127.0.0.1/8404; } 2>/dev/null || return 1
    printf '%s\n' "$1" >&"$socket"
    mapfile -t answer <&"$socket"
    exec {socket}>&-
}

# add_server NAME: makes the server known to HAProxy, out of service. A WordPress server is added, as a
# new server is checked at once; a database's slot, which only a configuration can give its socket
# options, gets its address.
add_server() {
    local found
    read -r found _ < <(getent ahostsv4 "$1")
    if [[ ! $found ]]; then error="no address for $1"; return 1; fi
    if [[ $1 == database-* ]]; then admin "set server database/$1 addr $found"; return; fi
    admin "del server wordpress/$1" # what an earlier listing left, unless requests still run on it
    admin "add server wordpress/$1 $found:80 check inter 2s fastinter 200ms downinter 50ms fall 2 rise 1 maxconn 32; enable health wordpress/$1"
}

# apply_routes CONTENT: a server newly listed starts as down, until a check of it succeeds.
apply_routes() {
    local line name state slot commands='' new_revision=''
    local -A wanted=()
    error=''
    while IFS= read -r line; do
        name=${line%%=*} state=${line#*=}
        if [[ $name == revision ]]; then new_revision=$state
        elif [[ $line =~ ^(wordpress-[0-9]{1,3}|database-[0-2])=(ready|drain)$ ]]; then wanted[$name]=$state
        elif [[ $line && $line != end ]]; then error="not a route: $line"
        fi
    done <<<"$1"
    for name in "${!listed[@]}"; do
        if [[ ! ${wanted[$name]-} ]]; then commands+="set server ${name%-*}/$name state maint;"; fi
    done
    for name in "${!wanted[@]}"; do
        slot=${name%-*}/$name state=${wanted[$name]}
        if [[ ${listed[$name]-} == "$state" ]]; then continue; fi
        if [[ ! ${listed[$name]-} ]]; then
            if ! add_server "$name"; then unset "wanted[$name]"; continue; fi
            commands+="set server $slot state $state; set server $slot health down;"
        else
            commands+="set server $slot state $state;"
        fi
        if [[ $state == drain && $name == database-* ]]; then commands+='clear table database;'; fi
    done
    if [[ $commands ]]; then admin "$commands" || return 1; fi
    listed=()
    for name in "${!wanted[@]}"; do listed[$name]=${wanted[$name]}; done
    revision=$new_revision
    milliseconds
    fast_until=$((REPLY + 15000))
}

# apply_authorities CONTENT: all of them change at once.
apply_authorities() {
    local name version commands=''
    admin "prepare map $list" || return 1
    [[ ${answer[0]} =~ ([0-9]+)$ ]] || return 1
    version=${BASH_REMATCH[1]}
    while IFS= read -r name; do
        if [[ $name == end || ! $name =~ ^[][a-z0-9.:-]+$ ]]; then continue; fi
        commands+="add map @$version $list $name yes;"
        if ((${#commands} > 8000)); then admin "$commands" || return 1; commands=''; fi
    done <<<"$1"
    admin "${commands}commit map @$version $list"
}

# look: HAProxy's view of the servers listed.
look() {
    local line name
    local -a field
    admin 'show servers state' || return 1 # field 3 is the name, field 5 is 2 when it runs
    up=()
    for line in "${answer[@]}"; do
        read -ra field <<<"$line"
        if [[ ${field[5]} == 2 ]]; then up[${field[3]}]=yes; fi
    done
    servers=''
    for name in "${!listed[@]}"; do
        if [[ ${listed[$name]} == drain ]]; then line=drain; elif [[ ${up[$name]-} ]]; then line=up; else line=down; fi
        servers+=",\"$name\":\"$line\""
    done
    servers=${servers#,}
    phase=serving
}

: >"$list"
haproxy -db -f /usr/local/lib/wpaas/haproxy.cfg >&"$logs" 2>&1 &
haproxy=$!
trap 'stopping=yes; kill -USR1 "$haproxy" 2>/dev/null' TERM INT
publish
while :; do
    tick
    if ! kill -0 "$haproxy" 2>/dev/null; then
        if [[ $stopping ]]; then exit 0; fi
        phase=failed
        printf -v error '%s\n' 'HAProxy ended' "${last_lines[@]}"
        publish
        last_report
        exit 1
    fi
    content "$settings/authorities"
    if [[ $REPLY != "$authorities" ]] && whole && apply_authorities "$REPLY"; then authorities=$REPLY; fi
    content "$settings/routes"
    new=$REPLY
    if [[ $new != "$routes" ]] && whole && apply_routes "$new"; then routes=$new next_look=0; fi
    milliseconds
    if ((REPLY >= next_look)) && look; then
        milliseconds
        if ((REPLY < fast_until)); then next_look=0 pace=0.1; else next_look=$((REPLY + 900)) pace=0.25; fi
        publish
    fi
done
