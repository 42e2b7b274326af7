#!/bin/bash
# The first process of a container that stands in for an EC2 instance: makes it look to systemd and cloud-init as one
# does, then becomes systemd.
set -euo pipefail

# An instance's /etc/hosts is a file like any other; a container's is mounted, and can't be replaced.
for file in /etc/hosts /etc/hostname /etc/resolv.conf; do
    cp "$file" /run/kept
    umount "$file"
    cp /run/kept "$file"
done
rm -f /run/kept

# What tells cloud-init, which asks nobody else in a container, that this is EC2.
mkdir -p /run/sys
mount -t sysfs sysfs /run/sys
mount -t tmpfs -o mode=755 sys /sys
for folder in /run/sys/*; do
    mkdir "/sys/${folder##*/}"
    mount --bind "$folder" "/sys/${folder##*/}"
done
umount /run/sys
mkdir /sys/hypervisor
echo ec2e1916-9099-7caf-fd21-012345abcdef >/sys/hypervisor/uuid

# A hierarchy of its own, version 2, whichever the host has.
mkdir /run/cgroup
mount -t cgroup2 cgroup2 /run/cgroup
mkdir -p "/run/cgroup/wpaas-boot/$HOSTNAME"
echo $$ >"/run/cgroup/wpaas-boot/$HOSTNAME/cgroup.procs"
umount /run/cgroup
rmdir /run/cgroup
# shellcheck disable=SC2016 # for the inner shell
exec unshare --cgroup bash -c 'mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec /sbin/init'
