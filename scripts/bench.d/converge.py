"""Makes sites, has each scaled by four nodes once all are ready, and prints the milliseconds from then until all nodes serve.

converge.py API PATH KEY MANY
"""
import json
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

api, path, key, many = sys.argv[1:]


def call(method, path, body=None):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(api + path, data, headers, method=method), timeout=30) as answer:
        return json.load(answer)


def post(number):
    call("POST", path, {"name": f"new-{number}", "num_instances": 1, "admin_password": "not-used-but-long-enough"})


def scale(number):
    call("PUT", f"{path}/new-{number}", {"num_instances": 5})


def all_serve(instances):
    end = time.monotonic() + 300
    while time.monotonic() < end:
        sites = call("GET", f"{path}?status=ready&limit=200")["items"]
        if sum(site["num_instances"] == instances for site in sites) == int(many):
            return
        time.sleep(0.05)
    sys.exit("the sites do not come up")


with ThreadPoolExecutor(8) as callers:
    list(callers.map(post, range(int(many))))
    all_serve(1)
    began = time.monotonic()
    list(callers.map(scale, range(int(many))))
    all_serve(5)
print(int((time.monotonic() - began) * 1000))
