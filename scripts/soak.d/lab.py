"""A server of one's own, its sites, and who writes to them."""
import http.client
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

from visitor import Visitor

WRITER = (Path(__file__).parent / "writer.php").read_text().removeprefix("<?php\n")
MARIADB = ["mariadb", "--defaults-file=/usr/local/lib/wpaas/mariadb.cnf", "-BNe"]
MOUNT = '{{range .Mounts}}{{if eq .Destination "/var/lib/mysql"}}{{.Name}}{{end}}{{end}}'


class Docker:
    def __init__(self, installation):
        self.label = f"label=wpaas.installation={installation}"

    def run(self, *arguments, check=True):
        """What the command prints; with `check=False` whether it succeeds."""
        ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
        if not check:
            return ended.returncode == 0
        return ended.stdout.strip()


class Client:
    """Asks the API. `data` is a server's data folder."""

    def __init__(self, api, data):
        self.api, self.data = api, data

    def operator(self):
        return (self.data / "operator-token").read_text().strip()

    def call(self, method, path, body=None, token=None, patience=60, refused=()):
        """What is answered; nothing, where it is refused with one of these. While nobody answers, or nobody can, it is asked
        again, a POST under the same key."""
        headers = {"Authorization": f"Bearer {token or self.key}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        data = None if body is None else json.dumps(body).encode()
        end = time.monotonic() + patience
        while True:
            request = urllib.request.Request(self.api + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code in refused:
                    return None
                failed, last = f"{error.code}: {error.read().decode()}", error.code not in (502, 503, 504)
            except (OSError, http.client.HTTPException) as error:
                failed, last = str(error), False
            if last or time.monotonic() > end:
                raise SystemExit(f"{method} {path} was answered {failed}")
            time.sleep(0.2)

    def register(self):
        operator = self.operator()
        password = "not-used-but-long-enough"
        customer = {"name": "Soak", "email": "owner@example.com", "username": "owner@example.com", "password": password}
        self.cid = self.call("POST", "/customers", customer, operator)["cid"]
        self.org = self.call("GET", f"/orgs/{self.cid}/default", token=operator)["id"]
        space = self.call("GET", f"/spaces/{self.org}/default", token=operator)["id"]
        user = {"cid": self.cid, "username": "dev", "name": "Dev", "email": "dev@example.com", "password": password}
        self.call("POST", "/users", user | {"spaces": [space], "enabled": True}, operator)
        key = self.call("POST", f"/users/{self.cid}/dev/keys", {"label": "soak"}, operator)
        self.key = key["key"]


class Server(Client):
    def __init__(self, program, folder, api):
        super().__init__(api, folder / "data")
        self.program, self.folder, self.process = program, folder, None

    def start(self):
        log = open(self.folder / "server.log", "ab")
        arguments = [self.program, "--config", str(self.folder / "server.toml")]
        self.process = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        (self.folder / "server.pid").write_text(str(self.process.pid))
        end = time.monotonic() + 1200
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended; its log is {self.folder}/server.log")
            try:
                with urllib.request.urlopen(self.api + "/readyz", timeout=2) as answer:
                    told = json.load(answer)
                    if told["ready"] and told["backend"]["ready"]:
                        return
            except (OSError, ValueError, KeyError):
                pass
            time.sleep(0.1)
        raise SystemExit("the server is not ready after twenty minutes")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Code:
    """A repository that all sites have their code from: a plugin that says which release it is."""

    TEXT = "soak release"

    def __init__(self, folder, port):
        self.folder, self.number, self.url = folder, 0, f"git://127.0.0.1:{port}/{folder.name}"
        (folder / "mu-plugins").mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.change()
        command = ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.daemon = subprocess.Popen([*command, f"--base-path={folder.parent}"], **quiet)

    def git(self, *arguments):
        who = ["-c", "user.name=soak", "-c", "user.email=soak@example.com"]
        subprocess.run(["git", "-C", self.folder, *who, *arguments], check=True)

    def change(self):
        self.number += 1
        text = f"<?php add_action('wp_footer', function () {{ echo '{self.TEXT} {self.number}'; }});\n"
        (self.folder / "mu-plugins/soak.php").write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", str(self.number))
        return self.number

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait()


class Site:
    def __init__(self, server, docker, name, databases, wordpress, code):
        self.server, self.docker, self.name, self.databases = server, docker, name, databases
        self.path = f"/wpaas/{server.cid}/default/{name}"
        body = {"name": name, "num_instances": wordpress, "database": {"num_instances": databases}}
        body["code"] = {"git": code.url, "ref": "main"}
        made = server.call("POST", f"/wpaas/{server.cid}/default", body | {"admin_password": "not-used-but-long-enough"})
        self.id, self.known_history = made["id"], None
        self.writer, self.visitor = Writer(self), Visitor(self, code.TEXT)
        # When which part was hurt.
        self.hurt = []

    def open(self):
        """Somebody writes, and somebody visits."""
        self.url = self.server.call("GET", self.path)["status"]["url"]
        self.writer.start()
        self.visitor.start()

    def close(self):
        self.writer.stop()
        self.visitor.stop()

    def ask(self, verb):
        """A release or a rollback; nothing, where there is none to go back to or one is under way."""
        return self.server.call("POST", f"{self.path}/{verb}", {}, refused=(409,))

    def scale(self, databases, wordpress):
        self.databases = databases
        self.server.call("PUT", self.path, {"num_instances": wordpress, "database": {"num_instances": databases}})

    def _list(self, *arguments):
        filters = ["--filter", f"label=wpaas.site={self.id}"]
        return self.docker.run(*arguments, *filters).splitlines()

    def nodes(self):
        """The parts whose containers there are, in order."""
        listed = self._list("ps", "--all", "--format", '{{.Label "wpaas.part"}}')
        return sorted(part for part in listed if part.split("-")[0] in ("database", "wordpress", "gateway"))

    def incarnations(self):
        """Which containers there are, and since when each runs."""
        ids = self._list("ps", "--all", "--quiet")
        return sorted(self.docker.run("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *ids).splitlines())

    def database_parts(self):
        return [f"database-{n}" for n in range(self.databases)]

    def container(self, part):
        listed = self._list("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=wpaas.part={part}")
        return listed[0] if listed else "none"

    def volume(self, part):
        return self.docker.run("inspect", "--format", MOUNT, self.container(part))

    def network(self):
        listed = self._list("network", "ls", "--quiet")
        return listed[0] if listed else "none"

    def sql(self, part, query):
        return self.docker.run("exec", self.container(part), *MARIADB, query)

    def status(self, part, variable):
        words = self.sql(part, f"SHOW GLOBAL STATUS LIKE '{variable}'").split("\t")
        return words[1] if len(words) == 2 else ""

    def history(self):
        if not self.known_history:
            self.known_history = self.status("database-0", "wsrep_cluster_state_uuid")
        return self.known_history

    def rows(self, part):
        found = self.sql(part, "SET SESSION wsrep_sync_wait = 1; SELECT n FROM wordpress.proof")
        return {int(line) for line in found.splitlines()}

    def restarted(self, part, since):
        """Whether the node was started after this moment of the monotonic clock."""
        age = self.docker.run("inspect", "--format", "{{.State.Running}} {{.State.StartedAt}}", self.container(part))
        if not age.startswith("true "):
            return False
        started = time.mktime(time.strptime(age.split()[1][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        return started >= time.time() - (time.monotonic() - since) - 1

    def whole(self):
        """Whether every wanted database node is Synced, in one component of all."""
        return all(
            self.status(part, "wsrep_local_state") == "4"
            and self.status(part, "wsrep_cluster_size") == str(self.databases)
            for part in self.database_parts()
        )

    def _conditions(self):
        site = self.server.call("GET", self.path)
        # A site that nobody has looked at yet has no conditions.
        conditions = {c["type"]: c for c in site["status"].get("conditions") or []}
        return site, conditions

    def settled(self):
        site, conditions = self._conditions()
        wanted = {"Ready": "True", "Progressing": "False", "Degraded": "False"}
        current = site["status"].get("observed_generation") == site["generation"]
        return current and all(conditions.get(kind, {}).get("status") == is_ for kind, is_ in wanted.items())

    def standing(self):
        site, conditions = self._conditions()
        waits = "; ".join(site["status"].get("waiting") or [])
        return f"waits: {waits}; last error: {site['status'].get('last_error')}"


class Writer(threading.Thread):
    """Writes from within a WordPress node; when that dies, from within another."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.errors, self.stopped, self.process = site, 0, False, None
        self.answers, self.lock, self.highest = [], threading.Lock(), 0

    def run(self):
        while not self.stopped:
            nodes = [part for part in self.site.nodes() if part.startswith("wordpress")]
            for part in nodes:
                self.write(self.site.container(part))
            time.sleep(0.2)

    def write(self, container):
        # Numbers that were tried and not acknowledged may be there: they are not tried again.
        command = ["docker", "exec", "--interactive", container, "php", "-r", WRITER, "--", str(self.highest + 1000)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.process.stdout:
            words = line.split()
            if words[:1] == ["ack"] and len(words) == 3:
                with self.lock:
                    self.highest = int(words[1])
                    self.answers.append((time.monotonic(), self.highest, words[2]))
            else:
                self.errors += 1
        self.process.wait()

    def acknowledged(self):
        with self.lock:
            return {number for _, number, _ in self.answers}

    def node(self):
        with self.lock:
            return self.answers[-1][2] if self.answers else "database-0"

    def longest_gap(self, since):
        with self.lock:
            times = [at for at, _, _ in self.answers if at > since]
        ends = [*times, time.monotonic()]
        return max(end - begin for begin, end in zip([since, *times], ends))

    def stop(self):
        self.stopped = True
        if self.process and self.process.stdin:
            try:
                self.process.stdin.close()
            except OSError:
                pass
