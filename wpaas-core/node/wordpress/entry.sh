#!/bin/bash
# A WordPress node: PHP at once, the installer until the database is this site's, then nginx, so that
# port 80 is open only on a site that works; a node that is started again serves what it served before at once, if the
# database answers, and the installer goes over it beside the traffic. A change of wordpress.conf or of the admin's hash has the
# installer run again beside the traffic. TERM drains nginx, then PHP. A node that tries a release never
# opens port 80: its nginx listens to the node alone, and the installer asks it what a visitor would.
# shellcheck source=agent.sh
. /usr/local/lib/wpaas/agent.sh
here=/usr/local/lib/wpaas
phase=waiting admin_version=0 wordpress='' schema=null tables=null error=''
nginx='' cron='' installer='' served='' phases='' retry_at=0 refusals=0 stopping=''
watcher='' watch_at=0 content='' seen=/run/wpaas/watch.log before=/run/wpaas/served socket=/run/wpaas/php.sock

publish() {
    local version
    json "$wordpress"; version=$REPLY
    json "$content"; local page=$REPLY
    json "$error"
    body="{\"boot\":\"$boot\",\"wordpress\":{\"phase\":\"$phase\",\"release\":\"$release\",\"admin_version\":$admin_version,\"wordpress\":$version,\"schema\":$schema,\"tables\":$tables,\"content\":$page,\"error\":$REPLY}}"
}

# die WHY: ends the node; one that tries a release has found that the release is no good, and waits to be removed.
die() {
    printf -v error '%s\n' "$1" "${last_lines[@]}"
    phase=failed
    if [[ $trial ]]; then
        phase=refused
        publish
        until [[ $stopping ]]; do tick; done
        stop
    fi
    publish
    last_report
    exit 1
}

stop() {
    local child until
    pace=0.1
    for child in $cron $installer $watcher; do kill -TERM "$child" 2>/dev/null; done
    for child in $nginx $php; do
        kill -QUIT "$child" 2>/dev/null
        milliseconds
        until=$((REPLY + 13000))
        while kill -0 "$child" 2>/dev/null; do
            tick
            milliseconds
            if ((REPLY >= until)); then kill -KILL "$child" 2>/dev/null; fi
        done
    done
    exit 0
}

install() {
    exec {phases}< <(exec setpriv --reuid=www-data --regid=www-data --init-groups --no-new-privs --inh-caps=-all php "$here/install.php" "$root" 3>&1 >&"$logs" 2>&1)
    installer=$! served='' cut[$phases]=''
}

# settled LINE: what the installer says of a database that is this site's, before and after it serves.
settled() {
    local -a word
    read -ra word <<<"$1"
    if [[ ! ${word[4]-} ]]; then return; fi
    admin_version=${word[1]} wordpress=${word[2]} schema=${word[3]} tables=${word[4]}
    if [[ ! $nginx ]]; then nginx -c "$here/nginx.conf" -g 'daemon off;' >&"$logs" 2>&1 & nginx=$!; fi
}

# serve_again: what this node served with these very settings it serves at once.
serve_again() {
    local said
    content "$before"
    if [[ $trial || $REPLY != serving\ *$'\n'"$conf" ]]; then return; fi
    said=${REPLY%%$'\n'*}
    # shellcheck disable=SC2016 # for the inner shell
    if ! timeout 0.5 bash -c 'exec 3<>/dev/tcp/gateway-0/3306 && read -rN1 -t 0.4 -u 3' 2>/dev/null; then return; fi
    for _ in {1..100}; do
        if [[ -S $socket ]]; then break; fi
        tick
    done
    settled "$said"
    phase=serving
    publish
}

# installing: takes in what the installer says, after its end all that is left of it; its end without
# `serving` is a failure, tried again. A release that is tried has three tries.
installing() {
    local seconds=0.01 over='' code=0
    if ! kill -0 "$installer" 2>/dev/null; then over=yes seconds=1; fi
    while next_line "$phases" "$seconds"; do
        settled "$REPLY"
        if [[ $REPLY == serving\ * ]]; then
            phase=serving error='' retry_at=0 refusals=0 served=yes
            printf '%s\n%s' "$REPLY" "$conf" >"$before"
        elif [[ $trial || ! $nginx ]]; then phase=${REPLY%% *}
        fi
        publish
    done
    if [[ ! $over ]]; then return; fi
    wait "$installer" || code=$?
    if ((code)) || [[ ! $served ]]; then
        tick # its last words
        printf -v error '%s\n' "the installer failed ($code)" "${last_lines[@]}"
        if [[ $trial ]] && ((++refusals >= 3)); then phase=refused retry_at=0
        else
            if [[ $trial || ! $nginx ]]; then phase=failed; fi
            milliseconds
            retry_at=$((REPLY + 3000))
        fi
        publish
    fi
    exec {phases}<&-
    installer=''
    if [[ $nginx ]]; then pace=0.25; fi
}

# cron_as_set: the runner runs when the settings say so and the site serves.
cron_as_set() {
    if [[ $conf == *$'\ncron=on\n'* && $nginx && ! $cron ]]; then bash "$here/cron.sh" "$boot" >&"$logs" 2>&1 & cron=$!
    elif [[ $conf != *$'\ncron=on\n'* && $cron ]]; then kill -TERM "$cron"; cron=''
    fi
}

# watch: every half minute a look at the front page as a visitor has it, beside the traffic.
watch() {
    local code=0 found=''
    if [[ $watcher ]]; then
        if kill -0 "$watcher" 2>/dev/null; then return; fi
        wait "$watcher" || code=$?
        watcher=''
        if ((code)); then found=$(<"$seen"); fi
        if [[ $found != "$content" ]]; then content=$found; publish; fi
    fi
    milliseconds
    if [[ $trial || $phase != serving ]] || ((REPLY < watch_at)); then return; fi
    watch_at=$((REPLY + 30000))
    setpriv --reuid=www-data --regid=www-data --init-groups --no-new-privs --inh-caps=-all php "$here/probe.php" "$root" front >"$seen" 2>&1 &
    watcher=$!
}

release='' trial=''
until content "$settings/wordpress.conf"; whole; do
    error='wordpress.conf has no end'
    publish
    tick
done
conf=$REPLY error=''
setting wordpress.conf release; release=$REPLY
setting wordpress.conf layout; layout=$REPLY
if [[ $conf == *$'\ntrial=on\n'* ]]; then trial=yes; fi
root=/srv/wordpress
if [[ $layout == tree ]]; then root=/srv/release; fi
# The cache of stock code must not stand in for a release's file of the same name and time.
if [[ $layout != stock ]]; then rm -rf /var/cache/opcache/*/srv/wordpress/wp-content; fi
listen='80 default_server backlog=512'
if [[ $trial ]]; then listen='127.0.0.1:82'; fi
# shellcheck disable=SC2016 # $root is nginx's
printf 'root %s;\nmap "" $root { default %s; }\n' "$root" "$root" >/run/wpaas/root.conf
printf 'listen %s;\n' "$listen" >/run/wpaas/listen.conf
rm -f "$socket" # of an earlier start
php-fpm8.4 -F -y "$here/php-fpm.conf" >&"$logs" 2>&1 &
php=$!
trap 'stopping=yes' TERM INT
publish
send
guard &
if [[ ! -r $root/wp-includes/version.php ]]; then die "there is no WordPress at $root"; fi
uploads=$root/wp-content/uploads
if [[ $(stat -c %U "$uploads") != www-data ]]; then chown www-data: "$uploads"; fi
content "$settings/secrets/admin-hash"; hash=$REPLY
pace=0.02
serve_again
install
while :; do
    tick
    # Whoever starts is looked after closely, but not for ever.
    if ((SECONDS > 20)) && [[ $pace == 0.02 ]]; then pace=0.1; fi
    if [[ $stopping ]]; then stop; fi
    if ! kill -0 "$php" 2>/dev/null; then die 'PHP ended'; fi
    if [[ $nginx ]] && ! kill -0 "$nginx" 2>/dev/null; then die 'nginx ended'; fi
    if [[ $installer ]]; then installing; cron_as_set; continue; fi
    watch
    changed=''
    content "$settings/wordpress.conf"
    if [[ $REPLY != "$conf" ]] && whole; then conf=$REPLY changed=yes; fi
    content "$settings/secrets/admin-hash"
    if [[ $REPLY && $REPLY != "$hash" ]]; then hash=$REPLY changed=yes; fi
    milliseconds
    if [[ $changed ]] || ((retry_at && REPLY >= retry_at)); then cron_as_set; install; fi
done
