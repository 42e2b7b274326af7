"""Several servers on one PostgreSQL, as scripts/cluster makes them, and who writes to them and reads from them."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from lab import Client

SCRIPTS = Path(__file__).parent.parent


class Cluster(Client):
    def __init__(self, program, folder, api, count):
        super().__init__(api, folder / "cluster/data-1")
        self.program, self.folder, self.count = program, folder, count
        self.postgres_folder = os.environ["WPAAS_POSTGRES_FOLDER"]

    def start(self):
        """Starts what does not run, and waits until all of it answers."""
        command = [SCRIPTS / "cluster", "--servers", str(self.count), "--server", self.program]
        with open(self.folder / "cluster.log", "ab") as log:
            ended = subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=1200)
        if ended.returncode:
            raise SystemExit(f"the cluster does not start; see {self.folder}/cluster.log")

    def signal(self, what, which):
        os.kill(int((self.folder / f"cluster/{what}.pid").read_text()), which)

    def kill(self, what):
        self.signal(what, signal.SIGKILL)

    def postgres(self, *words):
        ended = subprocess.run([SCRIPTS / "postgres", words[0], self.postgres_folder, *words[1:]], capture_output=True, text=True)
        return ended.stdout.strip()

    def is_taken_over(self, number):
        """Whether servers that are not this one have every share of the sites."""
        name = (self.folder / f"cluster/data-{number}/server-id").read_text().strip()
        return self.postgres("sql", f"SELECT count(*) FROM claims WHERE server <> '{name}'") == "64"

    def all(self, path, cursor):
        """Every item of a list."""
        items, next_page = [], ""
        while True:
            page = self.call("GET", f"{path}{next_page}", token=self.operator())
            items += page["items"]
            if not page.get("next"):
                return items
            next_page = f"&{cursor}={page['next']}"


class ApiWriter(threading.Thread):
    """Makes spaces through the load balancer, and says each again under its key until it is answered."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster, self.number, self.stopped = cluster, number, False
        self.acknowledged, self.wrong, self.slowest = set(), [], 0

    def run(self):
        made = 0
        while not self.stopped:
            made += 1
            self.post(f"s{self.number}-{made}")
            time.sleep(0.05)

    def post(self, name):
        began = time.monotonic()
        while not self.stopped:
            code, problem = self.once(name)
            if code == 201 or problem == "idempotency_answer_lost":
                self.acknowledged.add(name)
                self.slowest = max(self.slowest, time.monotonic() - began)
                return
            # Whoever began it may have been killed: that is said after 30 s.
            if code not in (0, 502, 503, 504) and problem != "idempotency_key_in_use":
                self.wrong.append(f"{name}: {code} {problem}")
                return
            time.sleep(0.1)

    def once(self, name):
        body = json.dumps({"org_id": self.cluster.org, "name": name}).encode()
        headers = {"Authorization": f"Bearer {self.cluster.operator()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.cluster.api + "/spaces", body, headers | {"Idempotency-Key": name})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                return answer.status, None
        except urllib.error.HTTPError as error:
            text = error.read()
            if error.code == 503 and not error.headers.get("Retry-After"):
                self.wrong.append(f"{name}: a 503 without Retry-After: {text[:200]}")
            return error.code, json.loads(text).get("code") if error.code == 409 else text[:200]
        except (OSError, http.client.HTTPException):
            return 0, None


class Stream(threading.Thread):
    """Follows the events; where a stream ends it goes on after the last one, at whichever server."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.seen, self.streams = cluster, [], 0

    def run(self):
        while True:
            try:
                self.follow()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)

    def follow(self):
        headers = {"Authorization": f"Bearer {self.cluster.operator()}", "Accept": "text/event-stream"}
        headers["Last-Event-ID"] = str(self.seen[-1] if self.seen else 0)
        request = urllib.request.Request(f"{self.cluster.api}/events?cid={self.cluster.cid}", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.streams += 1
            for line in answer:
                if line.startswith(b"id:"):
                    self.seen.append(int(line[3:]))


def differences(cluster, writers, stream):
    """What is not as it was acknowledged, in words."""
    spaces = [space["name"] for space in cluster.all(f"/spaces/{cluster.org}?limit=200", "cursor")]
    events = cluster.all(f"/events?cid={cluster.cid}&limit=500", "after")
    numbers = [event["seq"] for event in events]
    created = [json.dumps(event["subject"]) for event in events if event["kind"] == "space_created"]
    lost = set().union(*(writer.acknowledged for writer in writers)) - set(spaces)
    end = time.monotonic() + 30
    while stream.seen[-1:] < numbers[-1:] and time.monotonic() < end:
        time.sleep(0.1)
    streamed = [number for number in stream.seen if number <= numbers[-1]]
    found = [text for writer in writers for text in writer.wrong]
    if lost:
        found.append(f"{len(lost)} acknowledged spaces are lost: {sorted(lost)[:10]}")
    if len(set(spaces)) != len(spaces) or not len(set(created)) == len(created) == len(spaces):
        found.append(f"{len(spaces)} spaces of {len(set(spaces))} names, {len(created)} times made, {len(set(created))} of them")
    if numbers != sorted(set(numbers)):
        found.append("events are not in order")
    if streamed != numbers:
        found.append(f"the stream told {len(streamed)} events, {len(set(streamed))} of them, of {len(numbers)}")
    return found
