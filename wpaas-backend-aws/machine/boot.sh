#!/bin/bash
# Runs at an instance's first boot, again until it comes to its end: puts the node's set-up there, installs its packages
# unless the image has them, and starts the machine's part, which starts the node. What went wrong is on the instance's
# console. `boot.sh bake` ends with the packages.
# shellcheck disable=SC1091,SC2154 # role, setup and digest are in what cloud-init was given
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
lib=/usr/local/lib/wpaas share=/usr/local/share/wpaas
. /etc/wpaas-machine.conf

fetch_setup() {
    local try
    for try in {1..60}; do
        if python3 /usr/local/lib/wpaas-machine.py fetch "$setup" "$digest" >/run/setup.tar.gz; then return; fi
        sleep 1
    done
    echo "wpaas: no set-up after $try s" >&2
    exit 1
}

# install ROLE: what a node of this kind is made of, unless it is there.
install() {
    if [[ -e $share/packages-$1 ]]; then return; fi
    tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 "$1"
    apt-get update -q
    "install_$1"
    touch "$share/packages-$1"
}

install_gateway() { apt-get install -y -q --no-install-recommends haproxy; systemctl disable --now haproxy; }

install_wordpress() {
    apt-get install -y -q --no-install-recommends ca-certificates nginx php8.4-cli php8.4-fpm php8.4-bcmath php8.4-curl \
        php8.4-gd php8.4-intl php8.4-mbstring php8.4-mysql php8.4-xml php8.4-zip libncurses6 fuse3 rclone iptables
    systemctl disable --now nginx php8.4-fpm
    rm -f /etc/nginx/sites-enabled/*
    rm -rf /srv/wordpress
    bash "$lib/tree.sh"
    # PHP can't open the journal's socket, which is this unit's output; it can open a pipe.
    bash "$lib/warm.sh" 2>&1 | cat
}

# The golden data is made by the very MariaDB that is to read it, with WordPress's own installer.
install_database() {
    bash "$lib/packages.sh"
    install wordpress
    tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 wordpress
    tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 database
    rm -rf /golden "$share/golden"
    bash "$lib/golden.sh"
    mv /golden "$share/golden"
}

fetch_setup
mkdir -p "$lib" "$share"
install "$role"
if [[ ${1-} == bake ]]; then exit 0; fi
rm -rf "${lib:?}"/*
tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 "$role"
tar -xzf /run/setup.tar.gz -C "$lib" agent.sh

cat >/etc/systemd/system/wpaas-node.service <<'UNIT'
[Unit]
Description=wpaas node
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/bash /usr/local/lib/wpaas/entry.sh
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec=60
UNIT
cat >/etc/systemd/system/wpaas-machine.service <<'UNIT'
[Unit]
Description=wpaas machine
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/wpaas-machine.py
Restart=always
RestartSec=1
# The mount of the uploads outlives what mounted it.
KillMode=process
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now wpaas-machine
systemctl disable wpaas-boot
