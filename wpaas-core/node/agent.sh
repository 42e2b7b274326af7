#!/bin/bash
# What the three kinds of node share, sourced by each entry.sh: the boot's name, settings, logs, and
# reports. A tick waits a tenth of a second while the node starts, a quarter later, and forks nothing;
# a report costs one fork and is given up after two seconds, so a control plane that hangs never
# holds a node up, and one that comes back has a report soon.
# shellcheck disable=SC2034 # what is set here is used there
export LC_ALL=C
settings=/etc/wpaas
read -r REPLY </proc/sys/kernel/random/uuid
boot=${REPLY:0:8}${REPLY: -8}
body='' posted='' accepted='' posting='' begun=0 last_lines=() pace=0.1 beat=''
trap : PIPE # whoever it was that listened is gone: its reader finds out
mkdir -p /run/wpaas
exec {outcomes}<> <(:) # of reports, a line each: nobody is waited for who may be gone already
exec {logs}<> <(:) # what the node's programs say; never at its end, so a read of it is also the clock
declare -A cut=()  # by descriptor: the beginning of a line whose end has not come yet

# setting FILE KEY: REPLY is what follows KEY= in FILE, nothing without such a line.
setting() {
    local line
    REPLY=''
    while IFS= read -r line || [[ $line ]]; do
        if [[ $line == "$2="* ]]; then REPLY=${line#*=}; return; fi
    done <"$settings/$1"
}

# content FILE: REPLY is all of it, nothing if it can't be read.
content() {
    REPLY=''
    if [[ -r $1 ]]; then IFS= read -rd '' REPLY <"$1"; fi
    return 0
}

# whole: whether REPLY is a file whose last line is `end`.
whole() { [[ $REPLY == end || $REPLY == $'end\n' || $REPLY == *$'\nend' || $REPLY == *$'\nend\n' ]]; }

# json TEXT: REPLY is it as a JSON string, null for nothing. What is not printable ASCII becomes `?`.
json() {
    REPLY=null
    [[ $1 ]] || return 0
    REPLY=${1//\\/\\\\}
    REPLY=${REPLY//\"/\\\"}
    REPLY=${REPLY//$'\n'/\\n}
    REPLY=\"${REPLY//[^[:print:]]/?}\"
}

# next_line FD SECONDS: REPLY is the next line that comes in time. The time can end in the middle of a
# line, which read has then taken: it is kept for the call that reads the rest, unless it has no end.
next_line() {
    local line code=0
    IFS= read -rt "$2" -u "$1" line || code=$?
    REPLY=${cut[$1]-}$line cut[$1]=''
    if ((code && ${#REPLY} < 16384)); then cut[$1]=$REPLY; return "$code"; fi
}

# milliseconds: REPLY is a clock that nobody sets.
milliseconds() {
    read -r REPLY _ </proc/uptime
    REPLY=$((10#${REPLY/./} * 10))
}

# tick: passes the programs' lines on, keeps the last eight, sends a report if one is due. However much
# they say, it takes no longer than the pace and a hundred lines.
tick() {
    local seconds=$pace
    if [[ $beat != "$SECONDS" ]]; then
        beat=$SECONDS
        printf '%s\n' "$beat" >/run/wpaas/beat
    fi
    for _ in {1..100}; do
        next_line "$logs" "$seconds" || break
        seconds=0.001
        printf '%s\n' "$REPLY" >&2
        last_lines+=("${REPLY:0:500}")
        ((${#last_lines[@]} <= 8)) || last_lines=("${last_lines[@]:1}")
    done
    send
}

# guard: ends the node, to be started anew, once its agent has done nothing for half a minute.
guard() {
    local clock now seen=''
    exec {clock}<> <(:)
    while :; do
        read -rt 30 -u "$clock"
        read -r now </run/wpaas/beat
        if [[ $now == "$seen" ]]; then
            echo 'the agent of this node hangs: the node ends' >&2
            kill -KILL $$
        fi
        seen=$now
    done
}

# send: posts $body at each change, a second after a failure, and five seconds after a success.
send() {
    local now
    milliseconds
    now=$REPLY
    if [[ $posting ]]; then
        while read -rt 0.001 -u "$outcomes" REPLY; do
            if [[ $REPLY == "$begun 0" ]]; then accepted=yes; fi
            if [[ $REPLY == "$begun "* ]]; then posting=''; fi
        done
        if [[ $posting ]]; then
            ((now >= begun + 2000)) || return 0
            kill -KILL "$posting" 2>/dev/null
            posting=''
        fi
    fi
    if [[ $body ]] && { [[ $body != "$posted" ]] || ((now >= begun + ${accepted:+4}000 + 1000)); }; then
        posted=$body begun=$now accepted=''
        post &
        posting=$!
    fi
}

post() {
    trap 'printf "%s %s\n" "$begun" "$?" >&"$outcomes"' EXIT
    local host path token status
    setting node.conf report
    host=${REPLY#http://} path=/${REPLY#http://*/} host=${host%%/*}
    content "$settings/secrets/report-token"
    token=${REPLY%%[[:space:]]*}
    [[ $host == *:* ]] || host+=:80
    exec 3<>"/dev/tcp/${host%:*}/${host##*:}" || exit 1
    printf 'POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
        "$path" "$host" "$token" "${#body}" "$body" >&3
    read -rt 2 -u 3 _ status _ && [[ $status == 2* ]]
} 2>/dev/null

# last_report: gives the last $body two seconds to arrive.
last_report() {
    pace=0.1
    for _ in {1..20}; do
        tick
        if [[ $accepted && $posted == "$body" ]]; then return; fi
    done
}
