# Runs once, at an instance's first boot: puts the node's set-up there, installs its packages unless the image has
# them, and starts the machine's part, which starts the node. What went wrong is on the instance's console.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
lib=/usr/local/lib/wpaas share=/usr/local/share/wpaas

fetch_setup() {
    local try
    for try in {1..60}; do
        if python3 /usr/local/lib/wpaas-machine.py fetch "$setup" "$digest" >/run/setup.tar.gz; then return; fi
        sleep 1
    done
    echo "wpaas: no set-up after $try s" >/dev/console
    exit 1
}

install_gateway() { apt-get install -y -q --no-install-recommends haproxy; systemctl disable --now haproxy; }

install_wordpress() {
    apt-get install -y -q --no-install-recommends ca-certificates nginx php8.4-cli php8.4-fpm php8.4-bcmath php8.4-curl \
        php8.4-gd php8.4-intl php8.4-mbstring php8.4-mysql php8.4-xml php8.4-zip libncurses6 fuse3 rclone iptables
    systemctl disable --now nginx php8.4-fpm
    rm -f /etc/nginx/sites-enabled/*
    bash "$lib/tree.sh"
    cp "$lib/warm.sh" "$lib/tree.sh" "$lib/warm.php" /run
    bash "$lib/warm.sh"
}

# The golden data is made by the very MariaDB that is to read it, with WordPress's own installer.
install_database() {
    bash "$lib/packages.sh"
    mkdir -p "$share"
    if [[ -d $share/golden ]]; then return; fi
    tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 wordpress
    install_wordpress
    tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 database
    bash "$lib/golden.sh"
    mv /golden "$share/golden"
    rm -rf "$lib" && mkdir -p "$lib"
    tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 database
}

fetch_setup
mkdir -p "$lib" "$share"
tar -xzf /run/setup.tar.gz -C "$lib" agent.sh
tar -xzf /run/setup.tar.gz -C "$lib" --strip-components=1 "$role"
tar -xzf /run/setup.tar.gz -C "$lib" agent.sh
if [[ ! -e $share/packages-$role ]]; then
    apt-get update -q
    "install_$role"
    tar -xzf /run/setup.tar.gz -C "$lib" agent.sh
    touch "$share/packages-$role"
fi
if [[ ${bake-} ]]; then exit 0; fi

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
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now wpaas-machine
