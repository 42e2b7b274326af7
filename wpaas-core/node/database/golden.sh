#!/bin/bash
# At image build: makes /golden, the data that an empty volume is seeded with when a site is founded.
# It holds a WordPress that is no site's yet, of the image's own version; no password opens it: root
# and the state transfer come in over the socket alone, `wordpress` is locked until the founding, and
# `hc`, which the gateway's check uses, has no rights. Users with a host other than localhost: those two.
set -euo pipefail
here=/usr/local/lib/wpaas
mkdir -p /run/mysqld /golden /etc/wpaas/secrets
chown mysql: /run/mysqld /golden
grep -v ^wsrep "$here/mariadb.cnf" >/golden.cnf
options=(--defaults-file=/golden.cnf --datadir=/golden)
mariadb-install-db "${options[@]}" --user=mysql --auth-root-authentication-method=socket --skip-test-db \
    --skip-name-resolve >/dev/null
mariadbd "${options[@]}" --bind-address=127.0.0.1 &
server=$!
sql() { mariadb --defaults-file=/golden.cnf -BN; }
until sql <<<'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
sql <<'SQL'
DROP USER IF EXISTS 'mysql'@'localhost', ''@'localhost';
-- A hundred views of the performance schema, which is off: without them a volume is seeded in half the time.
DROP DATABASE sys;
CREATE USER 'mysql'@'localhost' IDENTIFIED VIA unix_socket;
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, CONNECTION ADMIN ON *.* TO 'mysql'@'localhost';
CREATE USER 'hc'@'%' IDENTIFIED BY '';
CREATE DATABASE wordpress;
CREATE USER 'wordpress'@'%' IDENTIFIED BY 'golden';
GRANT ALL ON wordpress.* TO 'wordpress'@'%';
SQL

# WordPress is installed by the node's own installer; then the marks that make it a site's are taken off.
printf '127.0.0.1 gateway-0\n' >>/etc/hosts
printf '%s\n' site=golden part=wordpress-0 >/etc/wpaas/node.conf
printf '%s\n' title=golden url=http://golden.invalid admin_user=golden admin_email=golden@golden.invalid \
    admin_version=1 release=stock layout=stock cron=off end >/etc/wpaas/wordpress.conf
printf golden >/etc/wpaas/secrets/database-password
printf golden >/etc/wpaas/secrets/salt
printf golden >/etc/wpaas/secrets/admin-hash
php "$here/install.php" /srv/wordpress
sql <<'SQL'
USE wordpress;
DELETE FROM wpaas;
INSERT INTO wpaas (name, value) SELECT 'golden', option_value FROM wp_options WHERE option_name = 'db_version';
ALTER USER 'wordpress'@'%' ACCOUNT LOCK;
SET PASSWORD FOR 'wordpress'@'%' = '*0000000000000000000000000000000000000000';
SQL
kill "$server"
wait "$server"
rm -f /golden/{*.pid,*.err,aria_log_control.bak,ib_buffer_pool,galera.cache,ddl_recovery*.log,*-bin.*}
rm -rf /etc/wpaas
