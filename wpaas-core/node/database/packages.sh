#!/bin/bash
# At image build: MariaDB and Galera without what a node has no use for. The state-transfer scripts
# are in the full server package; they are all that is taken of it.
set -euo pipefail
apt-get update
apt-get install -y --no-install-recommends adduser galera-4 iproute2 mariadb-backup mariadb-client-core \
    mariadb-server-core procps socat
work=$(mktemp -d)
cd "$work"
apt-get download mariadb-server
dpkg-deb -x mariadb-server_*.deb root
install -m 0755 root/usr/bin/wsrep_sst_{common,backup,mariabackup} /usr/bin/
# The donor's script waits ten seconds for the joiner to listen; here it tries until it does (mariadb.cnf).
# The joiner's clears the volume; the founding number stays.
script=/usr/bin/wsrep_sst_mariabackup
grep -q '^ *sleep 10$' "$script"
sed -i 's/^\( *\)sleep 10$/\1sleep 0.5/' "$script"
grep -q "RPM_UPGRADE_HISTORY\\$'" "$script"
sed -i "s/RPM_UPGRADE_HISTORY\\$'/RPM_UPGRADE_HISTORY\\$\\\\|.*wpaas-founding\\$\\\\|.*lost.found\\$'/" "$script"
getent passwd mysql >/dev/null || adduser --system --group --no-create-home --home /nonexistent mysql
mkdir -p /var/lib/mysql
chown mysql: /var/lib/mysql
cd /
rm -rf "$work" /etc/mysql/mariadb.conf.d/*
