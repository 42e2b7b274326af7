"""Who asks a site for pages all the time, and who looks whether the site could have answered."""
import http.client
import threading
import time
import urllib.error
import urllib.request

# What a gateway's HAProxy says of its servers: name, state and administrative state are fields 3, 5 and 6; 2 and 0 is up.
ASK = "exec 3<>/dev/tcp/127.0.0.1/8404; echo 'show servers state' >&3; cat <&3"
# Nobody waits longer for a page; the gateway sends it to another node long before.
PATIENCE = 30
# A sample that is older says nothing.
FRESH = 4


class Gateway(threading.Thread):
    """Looks all the time how many WordPress nodes the gateway can send visitors to, and whether it has a database."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.samples, self.stopped = site, [], False

    def run(self):
        while not self.stopped:
            at = time.monotonic()
            self.samples.append((at, *self.look()))
            time.sleep(max(0, at + 1 - time.monotonic()))

    def look(self):
        said = self.site.docker.run("exec", self.site.container("gateway-0"), "bash", "-c", ASK)
        fields = [line.split(" ") for line in said.splitlines()]
        up = [field[3].split("-")[0] for field in fields if field[5:7] == ["2", "0"]]
        return up.count("wordpress"), up.count("database") + up.count("donor")

    def serves(self, at):
        """Whether two nodes or more, and a database, were there the last time that somebody looked before."""
        before = [sample for sample in self.samples if sample[0] <= at]
        return bool(before) and at - before[-1][0] < FRESH and before[-1][1] >= 2 and before[-1][2] >= 1


class Visitor(threading.Thread):
    """Asks for pages that no cache holds, one after the other."""

    def __init__(self, site, text):
        super().__init__(daemon=True)
        self.site, self.text, self.stopped = site, text, False
        self.pages, self.lost, self.gateway = 0, [], Gateway(site)

    def run(self):
        self.gateway.start()
        while not self.stopped:
            began = time.monotonic()
            wrong = self.ask()
            self.pages += 1
            if wrong:
                self.lost.append((began, time.monotonic(), wrong))
            time.sleep(0.1)

    def ask(self):
        try:
            with urllib.request.urlopen(f"{self.site.url}?soak={self.pages}", timeout=PATIENCE) as answer:
                page = answer.read().decode(errors="replace")
            return "" if self.text in page else f"a page without the site's own text: {page[:80]!r}"
        except urllib.error.HTTPError as error:
            return f"answered {error.code}"
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__

    def stop(self):
        self.stopped = self.gateway.stopped = True

    def unexcused(self):
        """Pages lost though two nodes served and no more than one of them was hurt."""
        return [(began, wrong) for began, ended, wrong in self.lost if not self.is_excused(began, ended)]

    def is_excused(self, began, ended):
        hurt = [part for at, part in self.site.hurt if began - FRESH < at < ended]
        nodes = [part for part in hurt if part.startswith("wordpress")]
        return not self.gateway.serves(began) or len(nodes) > 1 or len(nodes) < len(hurt)
