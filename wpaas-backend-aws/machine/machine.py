#!/usr/bin/python3
"""The machine below a node on EC2: gets from the bucket what the node is given, has it there before the node starts,
keeps it up to date, and puts what the node says into the bucket. It decides nothing.

It speaks to two things: the instance's metadata (version 2), and one bucket, as the instance's role.
"""
import datetime, grp, hashlib, hmac, http.client, http.server, json, os, pathlib, ssl, subprocess, sys
import threading, time, urllib.parse

CONF = dict(line.split("=", 1) for line in pathlib.Path("/etc/wpaas-machine.conf").read_text().split("\n") if "=" in line)
SETTINGS, STATE = pathlib.Path("/etc/wpaas"), pathlib.Path("/var/lib/wpaas-machine")
METADATA, DISKS = "169.254.169.254", "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"


def metadata(path):
    link = http.client.HTTPConnection(METADATA, timeout=3)
    link.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "300"})
    token = link.getresponse().read().decode()
    link.request("GET", "/latest/meta-data/" + path, headers={"X-aws-ec2-metadata-token": token})
    answer = link.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        raise OSError(f"metadata {path}: {answer.status}")
    return body


class Bucket:
    """One bucket, with requests signed as the role (AWS Signature Version 4)."""

    def __init__(self):
        self.key, self.until, self.lock = None, 0, threading.Lock()
        endpoint = urllib.parse.urlsplit(CONF.get("endpoint") or f"https://{CONF['bucket']}.s3.{CONF['region']}.amazonaws.com")
        self.endpoint, self.root = endpoint, f"/{CONF['bucket']}/" if CONF.get("endpoint") else "/"

    def credentials(self):
        with self.lock:
            if time.time() > self.until:
                role = metadata("iam/security-credentials/").split()[0]
                self.key = json.loads(metadata("iam/security-credentials/" + role))
                self.until = time.time() + 300
            return self.key

    def ask(self, method, key, body=b"", etag=None):
        """The answer's status, body and ETag."""
        own, path = self.credentials(), urllib.parse.quote(self.root + key)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        head = {"host": self.endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
        head["x-amz-security-token"] = own["Token"]
        names = ";".join(sorted(head))
        lines = "".join(f"{name}:{head[name]}\n" for name in sorted(head))
        scope = f"{now[:8]}/{CONF['region']}/s3/aws4_request"
        asked = hashlib.sha256(f"{method}\n{path}\n\n{lines}\n{names}\n{digest}".encode()).hexdigest()
        mac = ("AWS4" + own["SecretAccessKey"]).encode()
        for text in [*scope.split("/"), f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{asked}"]:
            mac = hmac.new(mac, text.encode(), hashlib.sha256).digest()
        head["authorization"] = (f"AWS4-HMAC-SHA256 Credential={own['AccessKeyId']}/{scope}, "
                                 f"SignedHeaders={names}, Signature={mac.hex()}")
        if etag:
            head["if-none-match"] = etag
        secure = self.endpoint.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        link = kind(self.endpoint.netloc, timeout=20, **({"context": ssl.create_default_context()} if secure else {}))
        try:
            link.request(method, path, body, head)
            answer = link.getresponse()
            return answer.status, answer.read(), answer.headers.get("etag")
        finally:
            link.close()


BUCKET = Bucket()


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def write(path, content, mode, group):
    """Replaces a whole file at once, owned by root and this group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.touch(mode=0o600)
    new.write_text(content)
    os.chown(new, 0, grp.getgrnam(group).gr_gid)
    new.chmod(mode)
    new.rename(path)


def give(files):
    """Writes files that are new or other than those given last, in their order; a used order is not given again."""
    kept = STATE / "given"
    given = json.loads(kept.read_text()) if kept.exists() else {}
    for file in files:
        path = SETTINGS / file["path"]
        digest = hashlib.sha256(file["content"].encode()).hexdigest()
        if given.get(file["path"]) != digest or (file["path"] != "order" and not path.exists()):
            write(path, file["content"], file["mode"], file["group"])
            given[file["path"]] = digest
    write(kept, json.dumps(given), 0o600, "root")


def hosts(text):
    """Puts the site's nodes into /etc/hosts; a web server that trusts the gateway's address reads it anew."""
    path = pathlib.Path("/etc/hosts")
    own = [line for line in path.read_text().split("\n") if line and not line.endswith("# wpaas")]
    own += [f"{line} # wpaas" for line in text.split("\n") if line]
    write(path, "\n".join(own) + "\n", 0o644, "root")
    if CONF["role"] == "wordpress":
        subprocess.run(["pkill", "-HUP", "-o", "nginx"], check=False)


def data_volume(volume):
    """Mounts the database's volume; one without a file system is new. Waits until it is attached."""
    disk = pathlib.Path(DISKS + volume.replace("-", ""))
    if os.path.ismount("/var/lib/mysql"):
        return
    while not disk.exists():
        time.sleep(0.5)
    # blkid says of a disk that can't be read what it says of a new one.
    with open(disk, "rb") as raw:
        raw.read(1 << 20)
    if subprocess.run(["blkid", "-p", str(disk)], stdout=subprocess.DEVNULL, check=False).returncode == 2:
        run("mkfs.ext4", "-q", str(disk))
    os.makedirs("/var/lib/mysql", exist_ok=True)
    run("mount", str(disk), "/var/lib/mysql")


def release(key, path):
    """Unpacks the release, and beside a wp-content without themes the stock ones."""
    if (STATE / "released").exists():
        return
    status, body, _ = BUCKET.ask("GET", key)
    if status != 200:
        raise OSError(f"the release: {status}")
    stock = pathlib.Path(path) / "themes"
    if stock.exists():
        run("cp", "-a", str(stock), "/srv/stock-themes")
        run("rm", "-rf", path)
    os.makedirs(path, exist_ok=True)
    run("tar", "-xz", "--no-same-owner", "-C", path, input=body)
    if path.endswith("/wp-content") and not (pathlib.Path(path) / "themes").exists():
        run("cp", "-a", "/srv/stock-themes", str(stock))
    (STATE / "released").touch()


def remote(prefix):
    """Where the uploads are, in rclone's words. The role may not ask whether there is a bucket, or make one."""
    how = f":s3,env_auth=true,no_check_bucket=true,region={CONF['region']}"
    if CONF.get("endpoint"):
        how += f',provider=Other,endpoint="{CONF["endpoint"]}",force_path_style=true'
    else:
        how += ",provider=AWS"
    return f"{how}:{CONF['bucket']}/{prefix}"


def uploads(prefix, path):
    """Mounts the site's uploads: written here first, in the bucket a second later, seen elsewhere ten later."""
    if os.path.ismount(path):
        return
    # What rclone leaves when it ends: a mount that nothing can be asked of.
    if any(line.split()[1] == path for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()):
        run("umount", "--lazy", path)
    os.makedirs(path, exist_ok=True)
    user, group = (subprocess.check_output(["id", flag, "www-data"], text=True).strip() for flag in ("-u", "-g"))
    run("rclone", "mount", remote(prefix), path, "--daemon", "--allow-other", "--uid", user,
        "--gid", group, "--umask", "022", "--vfs-cache-mode", "full", "--vfs-write-back", "1s", "--dir-cache-time",
        "10s", "--vfs-cache-max-size", "1G", "--cache-dir", "/var/cache/rclone", "--config", "/dev/null")


def prepare(machine):
    """What the node needs before it starts, in this order: uploads lie inside the release."""
    if machine["volume"]:
        data_volume(machine["volume"])
    if machine["release"]:
        release(*machine["release"])
    if machine["uploads"]:
        uploads(*machine["uploads"])


class Relay(http.server.BaseHTTPRequestHandler):
    """Takes the node's reports and puts them into the bucket."""
    report = ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status = BUCKET.ask("PUT", self.report, body)[0]
        except (OSError, http.client.HTTPException):
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def hide_metadata():
    """The customer's PHP must not get at the role's credentials: only root is let through."""
    rule = ["OUTPUT", "-d", METADATA, "-m", "owner", "!", "--uid-owner", "0", "-j", "REJECT"]
    if subprocess.run(["iptables", "-w", "-C", *rule], stderr=subprocess.DEVNULL, check=False).returncode:
        run("iptables", "-w", "-A", *rule)


def main():
    STATE.mkdir(parents=True, exist_ok=True)
    if CONF["role"] == "wordpress":
        hide_metadata()
    name = f"{CONF['role_id']}:{metadata('instance-id')}"
    files, Relay.report = f"{CONF['root']}/nodes/{name}", f"{CONF['root']}/reports/{name}"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8010), Relay)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen, ready, changed = {}, False, time.monotonic()
    while True:
        try:
            status, body, etag = BUCKET.ask("GET", files, etag=seen.get(files))
            if status == 200:
                given = json.loads(body)
                give(given["files"])
                seen[files], changed = etag, time.monotonic()
            key = seen.get(files) and given["machine"]["hosts"]
            status, body, etag = BUCKET.ask("GET", key, etag=seen.get(key)) if key else (0, b"", None)
            if status == 200:
                hosts(body.decode())
                seen[key], changed = etag, time.monotonic()
            if not ready and len(seen) == 2:
                prepare(given["machine"])
                run("systemctl", "start", "wpaas-node")
                ready = True
            elif ready and given["machine"]["uploads"]:
                uploads(*given["machine"]["uploads"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, subprocess.CalledProcessError) as error:
            print(f"trying again: {error}", file=sys.stderr, flush=True)
        # A node that waits for an order is told at once; one that has settled, within five seconds.
        time.sleep(1 if time.monotonic() - changed < 300 or not ready else 5)


if __name__ == "__main__":
    if sys.argv[1:2] == ["fetch"]:
        status, body, _ = BUCKET.ask("GET", sys.argv[2])
        if status != 200 or hashlib.sha256(body).hexdigest() != sys.argv[3]:
            sys.exit(f"the set-up can't be fetched: {status}, {len(body)} bytes")
        sys.stdout.buffer.write(body)
    else:
        main()
