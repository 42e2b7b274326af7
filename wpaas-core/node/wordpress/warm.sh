#!/bin/bash
# At image build: fills OPcache's file cache with the stock WordPress and the node's own PHP. Through
# FPM, since the cache of another way to run PHP is not its own.
set -euo pipefail
here=/usr/local/lib/wpaas
install -m 0644 "$here/php.ini" /etc/php/8.4/fpm/conf.d/90-wpaas.ini
install -d -o www-data /var/cache/opcache
mkdir -p /run/wpaas
cat >/run/wpaas/nginx.conf <<'E2'
pid /run/wpaas/nginx.pid;
user www-data;
events {}
http { server {
  listen 127.0.0.1:81;
  location / {
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME /usr/local/lib/wpaas/warm.php;
    fastcgi_pass unix:/run/wpaas/php.sock;
    fastcgi_read_timeout 600s;
  }
} }
E2
php-fpm8.4 -F -y "$here/php-fpm.conf" &
php=$!
until [[ -S /run/wpaas/php.sock ]]; do
  kill -0 "$php" || { echo 'PHP ended before it answered' >&2; exit 1; }
  sleep 0.1
done
nginx -c /run/wpaas/nginx.conf
exec 3<>/dev/tcp/127.0.0.1/81
printf 'GET / HTTP/1.0\r\n\r\n' >&3
answer=$(cat <&3)
echo "${answer##*$'\n'}"
[[ $answer == *compiled* ]]
nginx -c /run/wpaas/nginx.conf -s stop
kill "$php"
wait "$php" || true
chown -R root: /var/cache/opcache
find /var/cache/opcache -type d -exec chmod 0755 {} + -o -type f -exec chmod 0644 {} +
rm -rf /run/wpaas "$here"/{tree,warm}.sh "$here/warm.php"
