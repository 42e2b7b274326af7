"""What scripts/soak runs: faults drawn from a seed, writers, and the checks. It starts and kills the servers itself."""
import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from cluster import ApiWriter, Cluster, Stream, differences
from lab import Code, Docker, Server, Site

# How often each fault is drawn, after each was once.
WEIGHTS = {
    "kill a database node": 6,
    "kill the writer's database node": 6,
    "kill all database nodes": 3,
    "kill a node": 4,
    "remove a node": 4,
    "freeze a node": 3,
    "take a database volume": 3,
    "cut a node from its network": 2,
    "scale": 3,
    "release": 3,
    "roll back": 3,
}
ONE_SERVER = WEIGHTS | {"kill the server": 3}
CLUSTER = WEIGHTS | {"kill a server": 6, "freeze a server": 4, "kill the database": 4, "kill the load balancer": 2}


class Soak:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.docker = Docker(options.installation)
        folder = Path(options.folder)
        self.is_cluster = options.servers > 1
        self.weights = CLUSTER if self.is_cluster else ONE_SERVER
        self.once = self.random.sample(list(self.weights), len(self.weights))
        if self.is_cluster:
            self.server = Cluster(options.server, folder, options.api, options.servers)
        else:
            self.server = Server(options.server, folder, options.api)
        self.code = Code(folder / "code", options.git_port)
        self.log, self.failures, self.api_writers = [], [], []
        self.figures = {
            "failover of the writer": [],
            "one node back": [],
            "all nodes back": [],
            "a dead or hung server's sites taken over": [],
            "writes to the API go on after PostgreSQL came back": [],
        }

    def say(self, text):
        moment = time.monotonic() - self.began
        self.log.append(f"{moment:7.1f} s  {text}")
        print(self.log[-1], flush=True)

    def fail(self, text):
        self.failures.append(text)
        self.say(f"FAILED: {text}")

    def run(self):
        self.began = time.monotonic()
        self.server.start()
        self.server.register()
        sizes = [(3, 1), (3, 2), (1, 1), (1, 2), (3, 1)]
        self.sites = [
            Site(self.server, self.docker, f"soak{n}", *sizes[n], self.code) for n in range(self.options.sites)
        ]
        for site in self.sites:
            self.settle(site)
            site.open()
        if self.is_cluster:
            self.stream = Stream(self.server)
            self.api_writers = [ApiWriter(self.server, number) for number in range(2)]
            for thread in [self.stream, *self.api_writers]:
                thread.start()
        self.say(f"{len(self.sites)} sites are up; seed {self.options.seed}")
        end = time.monotonic() + 60 * self.options.minutes
        rounds = 0
        while time.monotonic() < end:
            self.fault()
            rounds += 1
            # What is not waited for is the next fault's company.
            time.sleep(self.random.choice([0, 0, 1, 3, 8]))
            if rounds % 5 == 0:
                self.check("in between")
        self.check("in the end")
        return self.report(rounds)

    # Each kind once, in any order, and then by weight. Every choice is drawn, whether it can be used now or not: so a seed
    # draws the same faults at any speed.
    def fault(self):
        kind = self.once.pop() if self.once else self.random.choices(list(self.weights), list(self.weights.values()))[0]
        site, draw, seconds = self.random.choice(self.sites), self.random.random(), self.random.uniform(0, 4)
        getattr(self, kind.replace("'", "").replace(" ", "_"))(site, draw, seconds)

    def pick(self, site, draw, kind=""):
        parts = [part for part in site.nodes() if part.startswith(kind)]
        return parts[int(draw * len(parts))] if parts else None

    def on(self, site, part, what, *command):
        container = part and site.container(part)
        if part:
            site.hurt.append((time.monotonic(), "network" if "disconnect" in command else part))
        if part and self.docker.run(*command, container, check=False):
            self.say(f"{site.name}: {part} {what}")

    def kill_a_database_node(self, site, draw, _):
        self.on(site, self.pick(site, draw, "database"), "killed", "kill")

    def kill_a_node(self, site, draw, _):
        self.on(site, self.pick(site, draw), "killed", "kill")

    def remove_a_node(self, site, draw, _):
        self.on(site, self.pick(site, draw), "removed", "rm", "--force")

    def freeze_a_node(self, site, draw, _):
        self.on(site, self.pick(site, draw), "frozen", "pause")

    def kill_the_writers_database_node(self, site, _, __):
        """On a site that is well, so that the figures are those of this fault alone."""
        if site.databases < 3:
            return
        self.settle(site)
        part = site.writer.node()
        began = time.monotonic()
        self.on(site, part, "killed: it was the writer's", "kill")
        if self.wait(site, f"{site.name} is whole", lambda: site.restarted(part, began) and site.whole()):
            back, gap = time.monotonic() - began, site.writer.longest_gap(began)
            self.figures["failover of the writer"].append(gap)
            self.figures["one node back"].append(back)
            self.say(f"{site.name}: writes went on after {gap:.1f} s, whole after {back:.1f} s")
            if gap > 5:
                self.fail(f"{site.name}: no write for {gap:.1f} s after the writer's node was killed")

    def kill_all_database_nodes(self, site, _, __):
        self.settle(site)
        nodes = [site.container(part) for part in site.nodes() if part.startswith("database")]
        began = time.monotonic()
        site.hurt.append((began, "database"))
        self.docker.run("kill", *nodes, check=False)
        self.say(f"{site.name}: all {len(nodes)} database nodes killed")
        last = f"database-{len(nodes) - 1}"
        if self.wait(site, f"{site.name} is whole", lambda: site.restarted(last, began) and site.whole()):
            back, gap = time.monotonic() - began, site.writer.longest_gap(began)
            self.figures["all nodes back"].append(back)
            self.say(f"{site.name}: writes went on after {gap:.1f} s, whole after {back:.1f} s")

    def take_a_database_volume(self, site, draw, _):
        """Only where two others hold everything: else it would be lost rightly."""
        if site.databases < 3:
            return
        self.settle(site)
        part = f"database-{int(draw * 3)}"
        volume = site.volume(part)
        site.hurt.append((time.monotonic(), part))
        for _ in range(20):
            self.docker.run("rm", "--force", site.container(part), check=False)
            if self.docker.run("volume", "rm", volume, check=False):
                self.say(f"{site.name}: the volume of {part} taken away")
                break
        self.settle(site)

    def cut_a_node_from_its_network(self, site, draw, _):
        self.on(site, self.pick(site, draw), "cut from its network", "network", "disconnect", "--force", site.network())

    def scale(self, site, draw, _):
        databases = site.databases if draw < 0.5 else 4 - site.databases
        wordpress = 1 + int(draw * 100) % 3
        if databases < site.databases:
            self.settle(site)
        site.scale(databases, wordpress)
        self.say(f"{site.name}: {databases} database and {wordpress} WordPress nodes wanted")

    def release(self, site, _, __):
        number = self.code.change()
        site.ask("releases")
        self.say(f"{site.name}: release {number} wanted")

    def roll_back(self, site, _, __):
        if site.ask("rollback"):
            self.say(f"{site.name}: rolled back")

    def kill_the_server(self, _, __, seconds):
        self.server.kill()
        self.say(f"the server killed, for {seconds:.1f} s")
        time.sleep(seconds)
        self.server.start()

    def kill_a_server(self, _, draw, seconds):
        number = 1 + int(draw * self.server.count)
        began = time.monotonic()
        self.server.kill(f"server-{number}")
        self.say(f"server {number} killed")
        self.await_takeover(number, began)
        time.sleep(seconds)
        self.server.start()

    def freeze_a_server(self, _, draw, seconds):
        """Once it goes on it must do nothing that lasts: what is checked after faults shows whether it did."""
        number = 1 + int(draw * self.server.count)
        began = time.monotonic()
        self.server.signal(f"server-{number}", signal.SIGSTOP)
        self.say(f"server {number} frozen")
        self.await_takeover(number, began)
        time.sleep(seconds)
        self.server.signal(f"server-{number}", signal.SIGCONT)
        self.say(f"server {number} goes on")

    def await_takeover(self, number, began):
        while not self.server.is_taken_over(number) and time.monotonic() - began < 60:
            time.sleep(0.05)
        took = time.monotonic() - began
        self.figures["a dead or hung server's sites taken over"].append(took)
        self.say(f"server {number}'s sites are others' after {took:.1f} s")
        if took > 10:
            self.fail(f"server {number}'s sites: not taken over within 10 s")

    def kill_the_database(self, _, __, seconds):
        """Sites that are well go on as they are: no node changes, and who writes to them notices nothing."""
        for site in self.sites:
            self.settle(site)
        before = [site.incarnations() for site in self.sites]
        began = time.monotonic()
        self.server.postgres("kill")
        self.say(f"PostgreSQL killed, for {4 + seconds:.1f} s")
        time.sleep(4 + seconds)
        for site, nodes in zip(self.sites, before):
            gap = site.writer.longest_gap(began)
            if site.incarnations() != nodes:
                self.fail(f"{site.name}: its nodes changed while PostgreSQL was away")
            if gap > 4:
                self.fail(f"{site.name}: no write for {gap:.1f} s while PostgreSQL was away")
        back = time.monotonic()
        self.server.postgres("start")
        acknowledged = [len(writer.acknowledged) for writer in self.api_writers]
        while any(len(writer.acknowledged) <= known for writer, known in zip(self.api_writers, acknowledged)):
            if time.monotonic() - back > 60:
                self.fail("the API takes no writes 60 s after PostgreSQL came back")
                return
            time.sleep(0.02)
        self.figures["writes to the API go on after PostgreSQL came back"].append(time.monotonic() - back)
        self.say(f"PostgreSQL is back, and the API takes writes after {time.monotonic() - back:.1f} s")

    def kill_the_load_balancer(self, _, __, seconds):
        self.server.kill("haproxy")
        self.say(f"HAProxy killed, for {seconds:.1f} s")
        time.sleep(seconds)
        self.server.start()

    def wait(self, site, what, ready, patience=180):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if ready():
                return True
            time.sleep(0.1)
        self.fail(f"{what}: not after {patience} s; {site.standing()}")
        return False

    def settle(self, site):
        return self.wait(site, f"{site.name} settles", lambda: site.settled() and site.whole())

    def check_visitors(self):
        """A page may be lost with the gateway or the database, or while fewer than two nodes serve: then it is counted."""
        lost, unexcused = 0, 0
        for site in self.sites:
            found = site.visitor.unexcused()
            lost, unexcused = lost + len(site.visitor.lost), unexcused + len(found)
            for at, wrong in found[:5]:
                self.fail(f"{site.name}: a page was lost at {at - self.began:.1f} s though two nodes served: {wrong}")
        return sum(site.visitor.pages for site in self.sites), lost, unexcused

    def check(self, when):
        for site in self.sites:
            if not self.settle(site):
                continue
            acknowledged = site.writer.acknowledged()
            for part in site.database_parts():
                rows = site.rows(part)
                lost = acknowledged - rows
                if lost:
                    self.fail(f"{site.name}: {part} lacks {len(lost)} acknowledged writes: {sorted(lost)[:10]}")
            histories = {site.status(part, "wsrep_cluster_state_uuid") for part in site.database_parts()}
            if histories != {site.history()}:
                self.fail(f"{site.name}: another history: {histories}")
            self.say(f"{site.name}: {len(acknowledged)} acknowledged writes are on {site.databases} nodes, {when}")

    def check_api(self):
        for writer in self.api_writers:
            writer.stopped = True
            writer.join()
        for text in differences(self.server, self.api_writers, self.stream):
            self.fail(text)

    def report(self, rounds):
        if self.is_cluster:
            self.check_api()
        for site in self.sites:
            site.close()
        pages, lost, unexcused = self.check_visitors()
        print(f"\nseed {self.options.seed}: {rounds} faults in {time.monotonic() - self.began:.0f} s")
        for name, values in self.figures.items():
            if values:
                middle = statistics.median(values)
                print(f"  {name}: {middle:.1f} s ({min(values):.1f} to {max(values):.1f}, {len(values)} times)")
        writes = sum(len(site.writer.acknowledged()) for site in self.sites)
        errors = sum(site.writer.errors for site in self.sites)
        print(f"  {writes} writes acknowledged, {errors} refused or unanswered")
        print(f"  {pages} pages asked for, {lost} lost, {unexcused} of them while two nodes served")
        if self.is_cluster:
            made = sum(len(writer.acknowledged) for writer in self.api_writers)
            slowest = max(writer.slowest for writer in self.api_writers)
            print(f"  API: {made} POSTs acknowledged, the slowest after {slowest:.1f} s of retries")
            print(f"  events: {len(self.stream.seen)} told by {self.stream.streams} streams")
        print("\n".join(f"  FAILED: {failure}" for failure in self.failures) or "  nothing was lost, everything came back")
        if self.options.json:
            found = {"seed": self.options.seed, "log": self.log, "figures": self.figures, "failures": self.failures}
            Path(self.options.json).write_text(json.dumps(found, indent=1))
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser()
    for name in ("server", "folder", "api", "installation"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("minutes", "seed", "sites", "servers", "git-port"):
        parser.add_argument(f"--{name}", required=True, type=int)
    parser.add_argument("--json")
    soak = Soak(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        code = soak.run()
    finally:
        for site in getattr(soak, "sites", []):
            site.close()
        soak.code.stop()
    sys.exit(code)


main()
