#!/bin/bash
# A database node: finds its position, reports it, waits for an order, runs MariaDB as ordered, and
# ends with it. It founds a cluster only under a number greater than the one on its volume, which is
# on disk before MariaDB starts: so an order is good for one founding, however often it is seen.
# shellcheck source=agent.sh
. /usr/local/lib/wpaas/agent.sh
shopt -s dotglob
data=/var/lib/mysql mark=/var/lib/mysql/wpaas-founding unsettled=/var/lib/mysql/wpaas-seeding order=$settings/order
options=--defaults-file=/run/wpaas/mariadb.cnf
phase=recovering empty=false uuid='' seqno='' founding=0 state=null primary=false size=0 lost_for=null joins=false error=''
server='' recovered='' stopping='' set_password='' sql='' seen='' obeyed='' next_look=0 kill_at='' end_at=''
seeding='' settling='' unsure='' lost_since=''

publish() {
    local position=null
    if [[ $uuid ]]; then position="{\"uuid\":\"$uuid\",\"seqno\":$seqno}"; fi
    json "$error"
    body="{\"boot\":\"$boot\",\"database\":{\"phase\":\"$phase\",\"empty\":$empty,\"position\":$position,\"founding\":$founding,\"state\":$state,\"primary\":$primary,\"size\":$size,\"lost_for\":$lost_for,\"joins\":$joins,\"error\":$REPLY}}"
}

# die CODE: reports the last lines of the log and ends.
die() {
    phase=failed state=null primary=false size=0 lost_for=null
    printf -v error '%s\n' "$error" "${last_lines[@]}"
    publish
    last_report
    exit "$1"
}

# stop: a server that is not in a component yet may not listen, and has nothing to lose, nor has one
# that only reads its position. One that takes writes ends when WordPress is done with it, or three
# seconds later: the gateway sends nobody here any more. Never from the trap, which comes in the middle
# of anything.
stop() {
    if [[ ! $server || $phase == recovering ]]; then exit 0; fi
    milliseconds
    kill_at=$((REPLY + 15000)) end_at=$REPLY
    if [[ $primary == true ]]; then end_at=$((REPLY + 3000)); fi
}

# in_use: whether WordPress may have a connection open. What a slow server was asked before may be its answer.
in_use() {
    local word='' count=''
    if [[ ! $sql ]]; then look; return 0; fi
    printf "SELECT 'in_use', COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'wordpress';\n" >&"${SQL[1]}"
    while read -rt 0.5 -u "${SQL[0]}" word count; do
        if [[ $word == in_use ]]; then ((count > 0)); return; fi
    done
    return 0
} 2>/dev/null

# find_position: a volume without ibdata1, or whose seed may not be on disk yet, never held a commit. After a clean
# stop the position is in grastate.dat, else InnoDB is asked. A volume left half way through a state
# transfer has none. Galera takes the history's name from grastate.dat while a table changes shape, and
# for good from a node that the others found to differ: such a one knows how far it came, but rejoins by
# a full copy.
find_position() {
    local line
    if [[ -r $mark ]]; then read -r founding <"$mark"; fi
    if [[ ! -e $data/ibdata1 || -e $unsettled ]]; then empty=true; return; fi
    if [[ -e $data/sst_in_progress ]]; then error='a state transfer was cut short'; return; fi
    while read -r line; do
        if [[ $line =~ ^uuid:\ +([0-9a-f-]{36})$ ]]; then uuid=${BASH_REMATCH[1]}; fi
        if [[ $line =~ ^seqno:\ +([0-9]+)$ ]]; then seqno=${BASH_REMATCH[1]}; fi
    done < <(cat "$data/grastate.dat" 2>/dev/null)
    if [[ $uuid && $seqno ]]; then return; fi
    if [[ $uuid == 00000000-0000-0000-0000-000000000000 ]]; then unsure=yes; fi
    uuid='' seqno=''
    publish
    # What it finds it says in a note.
    mariadbd "$options" --skip-silent-startup --wsrep-recover --wsrep-cluster-address=gcomm:// --skip-networking >/run/wpaas/recover.log 2>&1 &
    server=$!
    while kill -0 "$server" 2>/dev/null; do
        tick
        if [[ $stopping ]]; then stop; fi
    done
    server=''
    while read -r line; do
        if [[ $line =~ Recovered\ position:\ *([0-9a-f-]{36}):(-?[0-9]+) ]]; then
            uuid=${BASH_REMATCH[1]} seqno=${BASH_REMATCH[2]} recovered=--wsrep-start-position=$uuid:$seqno
        fi
    done </run/wpaas/recover.log
    if [[ ! $uuid ]]; then error="no position was found: $(tail -n 5 /run/wpaas/recover.log)"; fi
}

# clear_leftovers: of a seeding or a transfer that did not come to its end.
clear_leftovers() {
    local file
    for file in "$data"/*; do
        if [[ $file != "$mark" && $file != */lost+found ]]; then rm -rf "$file"; fi
    done
    chown mysql: "$data"
}

# copy_seed: has the golden data copied beside its place while the order is waited for. Without ibdata1
# in its place, the volume stays an empty one.
copy_seed() {
    clear_leftovers
    # Without FOWNER, a file's mode can't be set once it is another's: so owners come last.
    { cp -r --sparse=always /usr/local/share/wpaas/golden "$data/.seed" && chown -R mysql: "$data/.seed"; } &
    seeding=$!
}

# seed: puts the golden data in place. MariaDB starts on it while it is written to disk; until all of it is there, the
# volume says that it is not, and nobody has a password to commit anything with.
seed() {
    if [[ ! $seeding ]]; then copy_seed; fi
    wait "$seeding" || return 1
    : >"$unsettled" && sync "$unsettled" "$data" || return 1
    mv "$data/.seed"/* "$data"
    rmdir "$data/.seed"
    { sync -f "$data" && rm "$unsettled" && sync "$data"; } &
    settling=$!
}

# is_settled: whether a seed is on disk.
is_settled() {
    if [[ ! $settling ]]; then return; fi
    if kill -0 "$settling" 2>/dev/null; then return 1; fi
    if ! wait "$settling"; then error='the seed can not be written'; die 1; fi
    settling=''
}

# obey ORDER: `found NUMBER BOOT` or `join NUMBER BOOT`, if it is for this boot and the number is not
# behind the volume's; else says why not. The order it follows can be given again.
obey() {
    local verb number for_boot rest
    read -r verb number for_boot rest <<<"$1"
    error=''
    if [[ $1 == "$obeyed" ]]; then :
    elif [[ $phase != waiting ]]; then error="order refused, this node is $phase: $1"
    elif [[ ! $verb =~ ^(found|join)$ || $rest || $for_boot != "$boot" ]]; then error="not an order for this boot: $1"
    elif [[ ! $number =~ ^[1-9][0-9]{0,15}$ ]]; then error="not a number: $1"
    elif [[ $verb == join ]]; then
        if ((number < founding)); then error="founding number $number is behind $founding"
        else obeyed=$1; start_joining "$number"
        fi
    elif ((number <= founding)); then error="founding number $number is not greater than $founding"
    elif [[ $empty == false && ! $uuid ]]; then error='a volume without a position founds nothing'
    else obeyed=$1; start_founding "$number"
    fi
    publish
}

# keep NUMBER: on the volume and on disk, before anything is done under it.
keep() {
    founding=$1
    if ! { printf '%s\n' "$1" >"$mark.new" && sync "$mark.new" && mv "$mark.new" "$mark" && sync "$data"; }; then die 1; fi
}

start_founding() {
    keep "$1"
    set_password=yes
    if [[ $empty == true ]] && ! seed; then
        if [[ $stopping ]]; then stop; fi
        die 1
    fi
    rm -f "$data/gvwstate.dat"
    if [[ -e $data/grastate.dat ]]; then sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' "$data/grastate.dat"; fi
    start --wsrep-new-cluster --wsrep-cluster-address=gcomm://
}

start_joining() {
    keep "$1"
    if [[ $empty == true ]]; then
        if [[ $seeding ]]; then wait "$seeding"; fi
        if [[ $stopping ]]; then stop; fi
        clear_leftovers
    fi
    if [[ $unsure ]]; then recovered=''; fi
    joins=true
    setting database.conf peers
    start "--wsrep-cluster-address=gcomm://$REPLY"
}

start() {
    local part address
    setting node.conf part; part=$REPLY
    read -r address _ < <(getent ahostsv4 "$part")
    phase=starting empty=false
    mariadbd "$options" "--wsrep-node-name=$part" "--wsrep-node-address=$address" ${recovered:+"$recovered"} "$@" >&"$logs" 2>&1 &
    server=$!
}

# look: asks the server for its state over a client that stays connected; a server that does not
# answer within half a second has no known state.
look() {
    local name value
    state=null primary=false size=0 lost_for=null
    if [[ ! $sql ]]; then
        [[ -S /run/mysqld/mysqld.sock ]] || return
        coproc SQL { exec mariadb "$options" -BN --unbuffered 2>/dev/null; }
        sql=yes
    fi
    { printf "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state', 'wsrep_cluster_status', 'wsrep_cluster_size');\nSELECT 'end', '';\n" >&"${SQL[1]}"; } 2>/dev/null
    while read -rt 0.5 -u "${SQL[0]}" name value; do
        case $name in
            wsrep_local_state) state=$value phase=running ;;
            wsrep_cluster_status) if [[ $value == Primary ]]; then primary=true; fi ;;
            wsrep_cluster_size) size=$value ;;
            end)
                count_loss
                if [[ $set_password && $primary == true && $state == 4 ]] && is_settled; then name_password; fi
                return ;;
        esac
    done 2>/dev/null
    if [[ ${SQL_PID-} ]]; then kill "$SQL_PID" 2>/dev/null; wait "$SQL_PID" 2>/dev/null; fi
    sql='' state=null primary=false size=0
}

# count_loss: for how long the server has said that it is in no component.
count_loss() {
    if [[ $primary == true || $phase != running ]]; then lost_since=''; return; fi
    milliseconds
    : "${lost_since:=$REPLY}"
    lost_for=$(((REPLY - lost_since) / 1000))
    lost_for=$((lost_for - lost_for % 5))
}

# name_password: gives WordPress's user the password of the file, through the client's pipe.
name_password() {
    local password answer
    content "$settings/secrets/database-password"
    password=${REPLY%%$'\n'*}
    password=${password//\\/\\\\}
    password=${password//\'/\\\'}
    printf "CREATE DATABASE IF NOT EXISTS wordpress; CREATE USER IF NOT EXISTS 'wordpress'@'%%'; ALTER USER 'wordpress'@'%%' IDENTIFIED BY '%s' ACCOUNT UNLOCK; GRANT ALL ON wordpress.* TO 'wordpress'@'%%'; GRANT ALL ON \`wordpress\\_%%\`.* TO 'wordpress'@'%%'; CREATE USER IF NOT EXISTS 'hc'@'%%'; SELECT 'done';\n" "$password" >&"${SQL[1]}"
    if read -rt 5 -u "${SQL[0]}" answer && [[ $answer == 'done' ]]; then set_password=''; fi
}

trap 'stopping=yes' TERM INT
content "$settings/first-order"
first=${REPLY%$'\n'}
rm -f "$order" "$settings/first-order"
mkdir -p /run/mysqld
chown mysql: /run/mysqld
setting database.conf buffer_pool
# In a file, not an argument: a donor hands MariaDB's arguments on to a backup that knows fewer.
{ echo "$(</usr/local/lib/wpaas/mariadb.cnf)"; printf '[mariadbd]\ninnodb_buffer_pool_size = %s\n' "$REPLY"; } >/run/wpaas/mariadb.cnf
find_position
phase=waiting
if [[ $first && $empty == true && $founding == 0 ]]; then
    obey "$first $boot"
else
    publish
    send
    setting node.conf part
    if [[ $empty == true && $REPLY == database-0 ]]; then copy_seed; fi # a new site is founded on this one
fi
pace=0.02
while :; do
    tick
    if [[ $server ]] && ! kill -0 "$server" 2>/dev/null; then
        wait "$server"
        code=$?
        if [[ $stopping ]]; then exit "$code"; fi
        die "$code"
    fi
    if [[ $stopping && ! $kill_at ]]; then stop; fi
    # Whoever starts is looked after closely, but not for ever.
    if ((SECONDS > 20)) && [[ $pace == 0.02 ]]; then pace=0.1; fi
    content "$order"
    REPLY=${REPLY%$'\n'}
    if [[ $REPLY && $REPLY != "$seen" ]]; then seen=$REPLY; obey "$REPLY"; fi
    milliseconds
    if [[ $stopping && $phase == starting ]] && ((REPLY >= kill_at)); then kill -KILL "$server"; fi
    if [[ $end_at ]] && { ((REPLY >= end_at)) || ! in_use; }; then
        kill -TERM "$server" 2>/dev/null
        end_at=''
    fi
    if [[ $server ]] && ((REPLY >= next_look)); then
        look
        publish
        next_look=0
        if [[ $pace == 0.25 ]]; then pace=0.1; fi
        milliseconds
        if [[ $state == 4 && ! $set_password ]]; then next_look=$((REPLY + 900)) pace=0.25; fi
    fi
done
