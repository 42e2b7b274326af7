"""Boots what moto only keeps books of: a container with systemd and cloud-init for each instance of EC2, with the user
data that RunInstances was given, volumes as loop devices, and the metadata service.

    machines.py ENDPOINT REGION ROLE FOLDER

Instances that are new there are booted, ended ones are removed; a container that dies takes its instance with it. What
happens is a line on standard output. The packages of each kind of node are baked into an image first, as docs/aws.md
says, by what `wpaas-server bake-user-data` has printed into FOLDER/bake; where there is FOLDER/unbaked they are not.
Runs until TERM.
"""
import base64
import gzip
import hashlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import boto3

from metadata import Metadata

NETWORK, LABEL, BASE, IMAGE = "wpaas-boot", "wpaas.boot", "wpaas-boot:base", "wpaas-boot"
DISKS = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
BAKER = "10.198.0.9"


def docker(*words, check=True):
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f"docker {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def is_there(machine, file):
    """Whether a machine that runs has this file."""
    return docker("exec", machine, "ls", file, check=False) == file


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Machines:
    def __init__(self, endpoint, region, role, folder):
        self.ec2 = boto3.client("ec2", region_name=region, endpoint_url=endpoint, aws_access_key_id="boot",
                                aws_secret_access_key="boot")
        self.metadata, self.folder = Metadata(role), pathlib.Path(folder)
        self.user_data, self.running, self.disks = {}, {}, {}
        self.image = BASE if (self.folder / "unbaked").exists() else None

    def instances(self):
        pages = self.ec2.get_paginator("describe_instances").paginate()
        return [it for page in pages for group in page["Reservations"] for it in group["Instances"]]

    def boot_data(self, instance):
        """The user data as it came with RunInstances."""
        name = instance["InstanceId"]
        if name not in self.user_data:
            answer = self.ec2.describe_instance_attribute(InstanceId=name, Attribute="userData")
            self.user_data[name] = base64.b64decode(answer["UserData"]["Value"])
        return self.user_data[name]

    def live(self):
        """One look at EC2: what is new is booted, what has ended is removed."""
        instances = self.instances()
        live = {it["InstanceId"]: it for it in instances if it["State"]["Name"] == "running"}
        for name in [name for name in self.running if name not in live]:
            self.remove(name)
        dead = docker("container", "ls", "--all", "--filter", f"label={LABEL}", "--filter", "status=exited", "--format", "{{.Names}}")
        for name in dead.split():
            if name in live:
                say(f"{self.running[name]} {name} has died, so EC2 ends it")
                self.ec2.terminate_instances(InstanceIds=[name])
                del live[name]
                self.remove(name)
        if not self.image:
            self.image = self.baked(live.values())
        if self.image:
            for name, instance in live.items():
                if name not in self.running:
                    self.boot(instance, self.image)
        self.attach(live)

    def baked(self, instances):
        """An image with what all nodes are made of, by what `bake-user-data` printed; None until that and an instance
        are there."""
        file, instance = self.folder / "bake", next(iter(instances), None)
        if not instance or not file.exists():
            return None
        script = gzip.decompress(file.read_bytes()).decode()
        # What packages depend on, so that the image serves the next run, too.
        setup = re.search("^digest=(.*)$", script, re.MULTILINE)[1]
        boot = script.split("END_OF_BOOT")[1]
        name = f"{IMAGE}:{hashlib.sha256((setup + boot).encode()).hexdigest()[:12]}"
        if not docker("image", "ls", "--quiet", name):
            self.bake(file.read_bytes(), name, instance)
        return name

    def bake(self, data, name, instance):
        say("baking the packages of the three kinds of node into an image")
        self.metadata.tell(BAKER, {**instance, "InstanceId": "i-baker"}, data)
        self.run("i-baker", BAKER, BASE)
        began = time.monotonic()
        while not is_there("i-baker", "/run/wpaas-baked"):
            if is_there("i-baker", "/run/wpaas-baking-failed") or time.monotonic() - began > 1500:
                log = self.folder / "baking.log"
                log.write_text(docker("exec", "i-baker", "cat", "/var/log/cloud-init-output.log", check=False))
                raise OSError(f"baking failed: see {log}")
            time.sleep(2)
        docker("exec", "i-baker", "cloud-init", "clean", "--logs")
        docker("commit", "i-baker", name)
        docker("rm", "--force", "i-baker")
        say(f"baked after {time.monotonic() - began:.0f} s")

    def boot(self, instance, image):
        name, ip = instance["InstanceId"], instance["PrivateIpAddress"]
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        data = self.boot_data(instance)
        self.running[name] = tags["wpaas:part"]
        self.metadata.tell(ip, instance, data)
        self.run(name, ip, image)
        say(f"{self.running[name]} {name} boots at {ip}, {len(data)} bytes of user data")

    def run(self, name, ip, image):
        docker("run", "--detach", "--tty", "--name", name, "--hostname", name, "--label", LABEL, "--network", NETWORK, "--ip", ip,
               "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "seccomp=unconfined",
               "--security-opt", "apparmor=unconfined", "--device", "/dev/fuse", "--device-cgroup-rule", "b 7:* rwm",
               "--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--entrypoint", "/sbin/machine-init", image)

    def attach(self, live):
        """Has each volume in the machine that it is attached to, as a disk of the name that EC2's have."""
        for volume in self.ec2.describe_volumes()["Volumes"]:
            name, holders = volume["VolumeId"], [it["InstanceId"] for it in volume["Attachments"]]
            holder = next((it for it in holders if it in live and it in self.running), None)
            tags = {tag["Key"] for tag in volume.get("Tags", [])}
            if "wpaas:part" not in tags or not holder or self.disks.get(name, (None, None))[1] == holder:
                continue
            disk = self.disk(name, volume["Size"])
            number = disk.removeprefix("/dev/loop")
            link = DISKS + name.replace("-", "")
            docker("exec", holder, "sh", "-c", f"mkdir -p {os.path.dirname(link)}; [ -b {disk} ] || mknod {disk} b 7 {number}; ln -sf {disk} {link}")
            self.disks[name] = (disk, holder)
            say(f"{self.running[holder]} {holder} has {name}")
        there = {volume["VolumeId"] for volume in self.ec2.describe_volumes()["Volumes"]}
        for name in [name for name in self.disks if name not in there]:
            self.detach(name)

    def disk(self, volume, size):
        if volume in self.disks:
            return self.disks[volume][0]
        file = self.folder / f"{volume}.img"
        with open(file, "ab") as sparse:
            sparse.truncate(size << 30)
        return subprocess.check_output(["losetup", "--find", "--show", file], text=True).strip()

    def detach(self, volume):
        subprocess.run(["losetup", "--detach", self.disks.pop(volume)[0]], check=False)
        (self.folder / f"{volume}.img").unlink(missing_ok=True)

    def remove(self, name):
        docker("unpause", name, check=False)
        docker("rm", "--force", name, check=False)
        say(f"{self.running.pop(name)} {name} is gone")

    def end(self):
        for name in docker("container", "ls", "--all", "--quiet", "--filter", f"label={LABEL}").split():
            docker("rm", "--force", name, check=False)
        for volume in list(self.disks):
            self.detach(volume)


def main():
    machines = Machines(*sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            machines.live()
            time.sleep(0.5)
    finally:
        machines.end()


main()
