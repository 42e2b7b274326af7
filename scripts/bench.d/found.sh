#!/bin/bash
# The database of the peer, in the image of a database node: seeds an empty volume with the golden data and founds
# right away, as there is no control plane to ask. It replaces the node's entry.sh.
set -euo pipefail
data=/var/lib/mysql options=--defaults-file=/run/mariadb.cnf
mkdir -p /run/mysqld
cp -r --sparse=always /usr/local/share/wpaas/golden/. "$data"
chown -R mysql: /run/mysqld "$data"
{ cat /usr/local/lib/wpaas/mariadb.cnf; printf '[mariadbd]\ninnodb_buffer_pool_size = 64M\n'; } >/run/mariadb.cnf
mariadbd "$options" --wsrep-new-cluster --wsrep-cluster-address=gcomm:// &
trap 'kill -TERM %1' TERM
password=$(</etc/wpaas/secrets/database-password)
until mariadb "$options" -e "ALTER USER 'wordpress'@'%' IDENTIFIED BY '$password' ACCOUNT UNLOCK" 2>/dev/null; do
    sleep 0.05
done
wait %1
