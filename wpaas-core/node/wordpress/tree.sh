#!/bin/bash
# At image build: puts Debian's WordPress at /srv/wordpress as one whole tree of plain files, owned by
# root. The package's links into other packages are followed, and its own configuration left out;
# WordPress finds /srv/wp-config.php instead.
set -euo pipefail
work=$(mktemp -d)
cd "$work"
apt-get update
apt-get download wordpress wordpress-theme-twentytwentyfive libjs-cropper libjs-lodash libjs-underscore php-getid3
for package in *.deb; do dpkg-deb -x "$package" root; done
ln -s /etc/ssl root/etc/ssl
rm root/usr/share/wordpress/{.htaccess,wp-config.php}
rm -rf root/usr/share/wordpress/wp-includes/certificates/ca-bundle.crt
cp -rL --preserve=timestamps root/usr/share/wordpress /srv/wordpress
ln -s /etc/ssl/certs/ca-certificates.crt /srv/wordpress/wp-includes/certificates/ca-bundle.crt
mkdir -p /srv/wordpress/wp-content/uploads /srv/release
chown www-data: /srv/wordpress/wp-content/uploads
ln -s /usr/local/lib/wpaas/wp-config.php /srv/wp-config.php
# What dumps a database and reads a dump back, without the client's other programs and their Perl.
apt-get download mariadb-client mariadb-client-core
for package in mariadb-client*.deb; do dpkg-deb -x "$package" client; done
install -m 0755 client/usr/bin/mariadb client/usr/bin/mariadb-dump /usr/local/bin/
mariadb --version
mariadb-dump --version
rm -rf "$work"
