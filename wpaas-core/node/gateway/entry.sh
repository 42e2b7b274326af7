#!/bin/bash
# A gateway: HAProxy with empty slots, and this agent, which makes `routes` and `authorities` so within
# a tenth of a second of a change, over the admin socket, and reports what HAProxy sees. A revision is
# reported once all of it is in force. TERM lets what is under way end, for 20 seconds at most.
# shellcheck source=agent.sh
. /usr/local/lib/wpaas/agent.sh
set -f # lists are split into words, and no word is a pattern
list=/run/wpaas/authorities
https=/run/wpaas/https # authorities that redirect to HTTPS, and where to
hsts=/run/wpaas/hsts # hosts that browsers are to ask for over HTTPS alone, and for how many seconds
answers=/run/wpaas/challenge # what a certificate authority is answered
certificates=/run/wpaas/crt-list
previews=/run/wpaas/previews # the names that show another release, and the server that has it
phase=starting revision='' error='' servers='' stopping='' next_look=0 fast_until=0
routes='' routed='' unread='' refused='' shown='' showing='' authorities='' named='' tls='' answering=yes unserved='' answer=()
connected=() writer='' entries=()
# Of a node that gets no new requests: those that it has, and since when.
kinds=2 draining=''
declare -A wanted=() known=() up=() loaded=() requests=() since=()
# Requests under way or waiting, in hundredths, on average of the last five seconds; what was counted since.
busy=null counted=0 counts=0 count_until=0

publish() {
    local number
    milliseconds
    if ((REPLY >= count_until)); then
        busy=null
        if ((counts)); then busy=$((counted * 100 / counts)); fi
        counted=0 counts=0 count_until=$((REPLY + 5000))
    fi
    json "$revision"; number=$REPLY
    json "$error"
    body="{\"boot\":\"$boot\",\"busy\":$busy,\"gateway\":{\"phase\":\"$phase\",\"revision\":$number,\"servers\":{$servers},\"draining\":{$draining},\"error\":$REPLY}}"
}

# admin COMMANDS: sends a line of commands; `answer` has the lines that come back, without those that are empty. It
# fails unless the answer came to its end. Only its beginning is waited for with a limit, which costs two calls of the system for each
# character: who hangs in the midst of it holds this up until `guard` ends the node.
admin() {
    local socket first='' rest='' code=0 IFS=$'\n'
    answer=()
    { exec {socket}<>/dev/tcp/127.0.0.1/8404; } 2>/dev/null || return 1
    printf '%s\n' "$1" >&"$socket"
    read -rN 1 -t 2 -u "$socket" first || code=$?
    if ((code == 0)); then read -rN 10000000 -u "$socket" rest; fi
    exec {socket}>&-
    # shellcheck disable=SC2206 # a line each
    answer=($first$rest)
    # 1 is its end; a greater one that nothing came in time.
    ((code <= 1))
}

# read_routes: `wanted` and `routed`, the revision, are what `routes` says; `shown` has a line for each name
# that is one server's own; `unread` is a line that isn't known.
read_routes() {
    local line name host
    wanted=() routed='' unread='' shown='' kinds=2
    while IFS= read -r line; do
        name=${line%%=*}
        if [[ $name == revision ]]; then routed=${line#*=}
        elif [[ $line =~ ^(wordpress-[0-9]{1,3}|database-[0-2])=(ready|drain)$ ]]; then
            wanted[$name]=${line#*=}
            if [[ $line == wordpress-*=drain ]]; then kinds=6; fi
        elif [[ $line =~ ^wordpress-[0-9]{1,3}=preview(\ [][a-z0-9.:-]+)+$ ]]; then
            wanted[$name]=preview
            for host in ${line#*=preview }; do shown+="$host $name"$'\n'; done
        elif [[ $line && $line != end ]]; then unread=$line
        fi
    done <<<"$routes"
}

# survey: what HAProxy has: the state of each server that is in service, and whether it is up, and how many
# requests for visitors are under way or wait; of each server, too, while one of them gets no new ones. A database
# node's requests are its connections. It is a server of two backends: of `donor` it is in service only while no
# database node is Synced. `connected` are the database slots that have connections, `writer` is the node that new ones
# go to, if it is Synced.
survey() {
    local line IFS
    local -a field donors=()
    # Of a server, name, state and administrative state are fields 3, 5 and 6; in statistics, what waits is field 2, and
    # what is under way field 4, of a backend with those that wait.
    admin "show servers state; show stat wordpress $kinds -1; show stat database 4 -1; show stat donor 4 -1; show table database" || return 1
    known=() up=() requests=() connected=() writer=''
    for line in "${answer[@]}"; do
        # shellcheck disable=SC2206 # a field each
        case $line in
            *,*) IFS=,; field=($line) ;;
            *) IFS=' '; field=($line) ;;
        esac
        if [[ $line == wordpress,* ]]; then
            if [[ ${field[1]} == BACKEND ]]; then counted=$((counted + field[4])) counts=$((counts + 1))
            else requests[${field[1]}]=$((field[2] + field[4]))
            fi
            continue
        fi
        if [[ $line =~ ^(database|donor),(database|donor)-[0-2], ]]; then
            if ((field[4])); then
                connected+=("${field[0]}/${field[1]}")
                : $((requests[database-${field[1]#*-}] += field[4]))
            fi
            continue
        fi
        if [[ $line =~ \ key=1\ .*\ server_id=([1-3])(\ |$) ]]; then writer=database-$((BASH_REMATCH[1] - 1)); fi
        if [[ ! ${field[3]-} =~ ^(wordpress|database|donor)-[0-9]+$ ]] || ((field[6] & 0x63)); then continue; fi
        if [[ ${field[3]} == donor-* ]]; then
            if [[ ${field[5]} == 2 ]]; then donors+=("database-${field[3]#*-}"); fi
            continue
        fi
        if ((field[6] & 0x18)); then known[${field[3]}]=drain
        elif [[ ${field[1]} == "${field[3]}" ]]; then known[${field[3]}]=preview
        else known[${field[3]}]=ready
        fi
        if [[ ${field[5]} == 2 ]]; then up[${field[3]}]=yes; fi
    done
    if [[ ! ${up[${writer:-none}]-} ]]; then writer=''; fi
    if [[ ${up[database-0]-}${up[database-1]-}${up[database-2]-} ]]; then return; fi
    for line in "${donors[@]}"; do up[$line]=yes; done
}

# one_writer: connections to another database node than the one that new ones go to are cut, so that no two take writes
# for long. They are those of a node that was in use until it was down or not Synced: while no other is, nothing is cut.
# What is under way on a node that is drained comes to its end. HAProxy notes which node is in use only once that has
# answered: so a connection that was on its way when a drain began may have new ones go there again, until it is forgotten
# anew. Until then somebody may be on the way there.
one_writer() {
    local slot name commands=''
    if [[ $writer && ${known[$writer]-} == drain ]]; then
        forget "$writer"; commands=$REPLY
        : $((requests[$writer] += 1))
        writer=''
    fi
    for slot in "${connected[@]}"; do
        name=database-${slot##*-}
        if [[ $writer && $name != "$writer" && ${known[$name]-} != drain ]]; then commands+="shutdown sessions server $slot;"; fi
    done
    if [[ ! $commands ]]; then return; fi
    admin "$commands"
}

# inspect: a survey, after which no two database nodes are in use.
inspect() { survey && one_writer; }

# forget NAME: REPLY is what has HAProxy forget that this database node is the one in use; slots are numbered from 1.
forget() {
    local slot="data.server_id eq $((${1#*-} + 1))"
    REPLY="clear table database $slot; clear table donor $slot;"
}

# drains: `draining` is what nodes have that get no new requests, and for how long they have got none.
drains() {
    local name seconds
    milliseconds
    draining=''
    for name in "${!since[@]}"; do
        if [[ ${known[$name]-} != drain ]]; then unset "since[$name]"; fi
    done
    for name in "${!known[@]}"; do
        if [[ ${known[$name]} != drain ]]; then continue; fi
        : "${since[$name]:=$REPLY}"
        seconds=$(((REPLY - since[$name]) / 1000))
        if ((${requests[$name]-0})); then
            draining+=",\"$name\":{\"requests\":${requests[$name]},\"seconds\":$((seconds - seconds % 5))}"
        fi
    done
    draining=${draining#,}
}

# slots NAME: REPLY is where HAProxy has it: one with names of its own in a backend of its own.
slots() {
    REPLY=${1%-*}/$1
    if [[ ${wanted[$1]-${known[$1]-}} == preview ]]; then REPLY=$1/$1; fi
    if [[ $1 == database-* ]]; then REPLY+=" donor/donor-${1#*-}"; fi
}

# add_server NAME: makes the server known to HAProxy, out of service. A WordPress server is added, as a
# new server is checked at once; a database's slot, which only a configuration can give its socket
# options, gets its address.
add_server() {
    local found place
    read -r found _ < <(getent ahostsv4 "$1")
    if [[ ! $found ]]; then error="no address for $1"; return 1; fi
    if [[ $1 == database-* ]]; then
        admin "set server database/$1 addr $found; set server donor/donor-${1#*-} addr $found"
        return
    fi
    slots "$1"; place=$REPLY
    admin "del server $place" # what an earlier listing left, unless requests still run on it
    admin "add server $place $found:80 check inter 2s fastinter 200ms downinter 50ms fall 2 rise 1 maxconn 32; enable health $place"
}

# approach: takes HAProxy from what it has to what is wanted. A server newly listed starts as down, until
# a check of it succeeds. Fails if there was something to do.
approach() {
    local name slot state commands='' differs=''
    for name in "${!known[@]}"; do
        if [[ ${wanted[$name]-} ]]; then continue; fi
        slots "$name"
        for slot in $REPLY; do commands+="set server $slot state maint;"; done
    done
    for name in "${!wanted[@]}"; do
        state=${wanted[$name]}
        if [[ ${known[$name]-} == "$state" ]]; then continue; fi
        differs=yes
        if [[ ! ${known[$name]-} ]] && ! add_server "$name"; then continue; fi
        slots "$name"
        for slot in $REPLY; do
            commands+="set server $slot state ${state/preview/ready};"
            if [[ ! ${known[$name]-} ]]; then commands+="set server $slot health down;"; fi
        done
        # Who is drained is no longer the one in use.
        if [[ $state == drain && $name == database-* ]]; then forget "$name"; commands+=$REPLY; fi
    done
    if [[ $commands ]]; then
        admin "$commands"
        milliseconds
        fast_until=$((REPLY + 15000))
    fi
    [[ ! $differs && ! $commands ]]
}

# entries CONTENT: `entries` are its lines, a name and with it a value or nothing, as a map has them.
entries() {
    local name value
    entries=()
    while read -r name value; do
        if [[ $name != end && $name$value =~ ^[][A-Za-z0-9_.:-]+$ ]]; then entries+=("$name ${value:-.}"); fi
    done <<<"$1"
}

# fill MAP CONTENT: its entries are all there is in the map, all at once.
fill() {
    local entry version commands=''
    refused=''
    admin "prepare map $1" || return 1
    [[ ${answer[0]} =~ ([0-9]+)$ ]] || return 1
    version=${BASH_REMATCH[1]}
    entries "$2"
    for entry in "${entries[@]}"; do
        commands+="add map @$version $1 $entry;"
        if ((${#commands} > 8000)); then silently "$commands" || return 1; commands=''; fi
    done
    silently "${commands}commit map @$version $1"
}

# silently COMMANDS: of which none has anything to say when it succeeds.
silently() {
    local line
    admin "$1" || return 1
    for line in "${answer[@]}"; do
        if [[ $line ]]; then refused="HAProxy says: $line"; return 1; fi
    done
}

# succeeds COMMAND: whether HAProxy says so.
succeeds() {
    local line
    admin "$1" || return 1
    for line in "${answer[@]}"; do
        if [[ $line == *Success!* ]]; then return; fi
    done
    unserved="HAProxy says: ${answer[*]}"
    return 1
}

# load VERSION: has HAProxy serve that certificate. No connection is cut: those that are there keep what they have.
load() {
    local name=/run/wpaas/certificate-$1.pem
    content "$settings/secrets/certificate-$1"
    if [[ $REPLY != *'PRIVATE KEY-----'* ]]; then unserved="there is no certificate $1"; return 1; fi
    admin "new ssl cert $name" || return 1 # it may be there from a try before
    # An empty line ends what is given.
    admin "set ssl cert $name <<"$'\n'"${REPLY//$'\n\n'/$'\n'}"$'\n' || return 1
    if ! succeeds "commit ssl cert $name"; then admin "abort ssl cert $name"; return 1; fi
    succeeds "add ssl crt-list $certificates $name"
}

# unload VERSION: has HAProxy forget it.
unload() {
    admin "del ssl crt-list $certificates /run/wpaas/certificate-$1.pem; del ssl cert /run/wpaas/certificate-$1.pem"
}

# secure CONTENT: the certificates that it lists are served, and none else; what they cover redirects once they are.
# Fails if one could not be loaded, which is tried again: its names are served as they were before. `answering` once
# all but the certificates is in force.
secure() {
    local word first second challenge='' redirects='' strict='' served='' failed=''
    local -A listed=()
    while read -r word first second; do
        case $word in
            challenge) challenge="challenge $first" ;;
            certificate)
                listed[$first]=yes served=yes
                if [[ ! ${loaded[$first]-} ]]; then
                    if load "$first"; then loaded[$first]=yes; else served='' failed=yes; fi
                fi
                ;;
            redirect) if [[ $served ]]; then redirects+="$first $second"$'\n'; fi ;;
            hsts) if [[ $served ]]; then strict+="$first $second"$'\n'; fi ;;
        esac
    done <<<"$1"
    fill "$answers" "$challenge" && fill "$https" "$redirects" && fill "$hsts" "$strict" || return 1
    answering=yes
    for first in "${!loaded[@]}"; do
        if [[ ! ${listed[$first]-} ]]; then unload "$first" || return 1; unset "loaded[$first]"; fi
    done
    [[ ! $failed ]]
}

# look: makes HAProxy what `routes` says, and has what is so for the report: a revision only when nothing
# was left to do for it. Fails if it has to be done again.
look() {
    local name state agreed=''
    error=${refused:-$unserved}
    if [[ $unread ]]; then error="not a route: $unread"; fi
    if ! inspect; then
        if [[ $phase == serving ]]; then error='HAProxy does not answer'; fi
        return 1
    fi
    # A name shows its own server before anything else is done for it.
    if [[ $shown != "$showing" ]] && fill "$previews" "$shown"; then showing=$shown; fi
    if [[ $shown == "$showing" ]] && { approach || { inspect && approach; }; }; then agreed=yes
    elif [[ ! $error ]]; then error="the routes are not in force, HAProxy says: ${answer[*]}"
    fi
    servers=''
    for name in "${!wanted[@]}"; do
        if [[ ${known[$name]-} == drain ]]; then state=drain; elif [[ ${up[$name]-} ]]; then state=up; else state=down; fi
        servers+=",\"$name\":\"$state\""
    done
    servers=${servers#,}
    drains
    phase=serving
    [[ $agreed && $named && $answering && ! $unread ]] && revision=$routed
}

# The site's names are known from the start: who comes meanwhile is told that it starts, not that there is no such site.
content "$settings/authorities"
if whole; then entries "$REPLY"; fi
printf '%s\n' "${entries[@]}" >"$list"
: >"$previews"
: >"$https"
: >"$hsts"
: >"$answers"
: >"$certificates"
haproxy -db -f /usr/local/lib/wpaas/haproxy.cfg >&"$logs" 2>&1 &
haproxy=$!
trap 'stopping=yes; kill -USR1 "$haproxy" 2>/dev/null' TERM INT
publish
tick
guard &
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
    # What goes with the routes is put there before them, so it is read after. What was caught half written is read
    # again, though it may become what it was.
    content "$settings/routes"
    if [[ $REPLY != "$routes" ]] && whole; then routes=$REPLY next_look=0; read_routes; fi
    content "$settings/authorities"
    if [[ ! $REPLY || $REPLY != "$authorities" ]]; then
        named='' authorities=''
        if whole && fill "$list" "$REPLY"; then authorities=$REPLY named=yes next_look=0; fi
    fi
    content "$settings/certificates"
    if [[ $REPLY != "$tls" ]]; then
        answering='' tls=unread
        if whole; then
            unserved=''
            if secure "$REPLY"; then tls=$REPLY; elif [[ ! $unserved ]]; then unserved=$refused; fi
            next_look=0
        fi
    fi
    milliseconds
    if ((REPLY < next_look)); then continue; fi
    if look || [[ ! $error ]]; then rest=0; else rest=900; fi
    milliseconds
    if ((REPLY >= fast_until)) && [[ $revision == "$routed" ]]; then rest=900 pace=0.25; else pace=0.1; fi
    next_look=$((REPLY + rest))
    publish
done
