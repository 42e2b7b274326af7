"""Kills a server behind a load balancer while its API is asked, and prints two times in milliseconds: the longest for which
no request was answered, and the one until other servers had its part of the sites. What is asked, with the bearer token in
TOKEN, is to be read from the database: that a server lives is not enough.

failover.py PID URL SERVER-ID POSTGRES-FOLDER
"""
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

pid, url, server, folder = sys.argv[1:]
REQUEST = urllib.request.Request(url, headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})
POSTGRES = Path(__file__).parent.parent / "postgres"
answered, stopped = [], threading.Event()


def ask():
    while not stopped.is_set():
        try:
            with urllib.request.urlopen(REQUEST, timeout=5) as answer:
                answer.read()
            answered.append(time.monotonic())
        except OSError:
            pass
        time.sleep(0.01)


threads = [threading.Thread(target=ask) for _ in range(3)]
for thread in threads:
    thread.start()
time.sleep(0.5)
began = time.monotonic()
os.kill(int(pid), signal.SIGKILL)
taken = f"SELECT count(*) FROM claims WHERE server <> '{server}'"
while time.monotonic() < began + 60:
    counted = subprocess.run([POSTGRES, "sql", folder, taken], capture_output=True, text=True).stdout.strip()
    if counted == "64":
        break
    time.sleep(0.02)
took = time.monotonic() - began
time.sleep(0.5)
stopped.set()
for thread in threads:
    thread.join()
times = sorted(answered)
gap = max(later - earlier for earlier, later in zip(times, times[1:]))
print(int(gap * 1000), int(took * 1000))
