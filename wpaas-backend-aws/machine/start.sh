#!/bin/bash
# Has boot.sh run until it comes to its end, whatever goes wrong meanwhile: a mirror that does not answer, a reboot.
cat >/etc/systemd/system/wpaas-boot.service <<'UNIT'
[Unit]
Description=wpaas first boot
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/bin/bash /usr/local/lib/wpaas-boot.sh
StandardOutput=journal+console
StandardError=journal+console
Restart=on-failure
RestartSec=10
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable wpaas-boot
systemctl start --no-block wpaas-boot
