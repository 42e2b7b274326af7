#!/bin/bash
# The edge: HAProxy, and this loop, which makes its map what `sites` says within a quarter of a second of
# a change, all of it at once and without a reload. TERM lets what is under way end, for 20 seconds at most.
set -u
export LC_ALL=C
here=/usr/local/lib/wpaas/edge settings=/etc/wpaas list=/run/wpaas/sites known='' stopping=''
exec {clock}<> <(:)
mkdir -p /run/wpaas

# sites: REPLY is all of the file. Fails while it is being replaced.
sites() {
    IFS= read -rd '' REPLY <"$settings/sites"
    [[ $REPLY == end$'\n' || $REPLY == *$'\nend\n' ]]
}

# admin COMMANDS: prints what HAProxy answers. Its socket is the container's own, as its network is the host's.
admin() {
    printf '%s\n' "$1" | perl -MIO::Socket::UNIX -e '
        my $haproxy = IO::Socket::UNIX->new(Peer => "/run/wpaas/admin.sock", Timeout => 2) or exit 1;
        print $haproxy <STDIN>;
        print while <$haproxy>;'
}

# silently COMMANDS: of which none has anything to say when it succeeds.
silently() {
    local answer
    answer=$(admin "$1") || return 1
    if [[ $answer ]]; then printf 'HAProxy says: %s\n' "$answer" >&2; return 1; fi
}

# replace CONTENT: all of the map changes at once.
replace() {
    local host gateway version commands=''
    version=$(admin "prepare map $list") || return 1
    [[ $version =~ ([0-9]+) ]] || return 1
    version=${BASH_REMATCH[1]}
    while read -r host gateway; do
        if [[ $host == end || ! $host$gateway =~ ^[a-z0-9.:-]+$ ]]; then continue; fi
        commands+="add map @$version $list $host $gateway;"
        if ((${#commands} > 8000)); then silently "$commands" || return 1; commands=''; fi
    done <<<"$1"
    silently "${commands}commit map @$version $list"
}

until sites; do read -rt 0.1 -u "$clock" _ || true; done
known=$REPLY
grep -v '^end$' <<<"$known" >"$list"
: >/run/wpaas/nothing # certificates that there are for names of nobody
while IFS='=' read -r name value; do
    case $name in
        listen) export LISTEN=$value ;;
        listen_tls) export LISTEN_TLS=$value ;;
    esac
done <"$settings/edge.conf"
haproxy -db -f "$here/haproxy.cfg" &
haproxy=$!
trap 'stopping=yes; kill -USR1 "$haproxy" 2>/dev/null' TERM INT
while kill -0 "$haproxy" 2>/dev/null; do
    read -rt 0.25 -u "$clock" _ || true
    if sites && [[ $REPLY != "$known" ]] && replace "$REPLY"; then known=$REPLY; fi
done
wait "$haproxy"
code=$?
if [[ $stopping ]]; then exit 0; fi
exit "$code"
