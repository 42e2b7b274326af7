# Runs oidc-provider-mock on a port of its own, says which, and ends with its standard input.
import os
import sys
from datetime import timedelta

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from oidc_provider_mock import run_server_in_thread  # noqa: E402

age = timedelta(seconds=int(sys.argv[1]))
with run_server_in_thread(access_token_max_age=age) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
