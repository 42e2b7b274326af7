"""Waits for the first 200 of a page that holds a text, and prints the milliseconds since a moment.

    first.py SINCE URL TEXT
    first.py SINCE API PATH TOKEN TEXT

SINCE is in seconds since 1970. In the second form the page is the address that the API tells of a site. Every
20 ms one attempt; a connection that does not come about within 50 ms is given up, as nobody may be there yet.
"""
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

PATIENCE = 60


def get(url, headers):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=0.05)
    try:
        connection.connect()
        connection.sock.settimeout(5)
        connection.request("GET", parts.path or "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def until(attempt, since):
    while time.time() < since + PATIENCE:
        found = attempt()
        if found:
            return found
        time.sleep(0.02)
    sys.exit(f"nothing came within {PATIENCE} s")


def main():
    since, *where, text = sys.argv[1:]
    since = float(since)
    url = where[0]
    if len(where) == 3:
        api, path, token = where

        def address():
            code, body = get(api + path, {"Authorization": f"Bearer {token}"})
            return code == 200 and json.loads(body)["status"].get("url")

        url = until(address, since)

    def page():
        code, body = get(url, {})
        return code == 200 and text in body

    until(page, since)
    print(round((time.time() - since) * 1000))


main()
