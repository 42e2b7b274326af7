# The commands of a working day. `just` alone lists them; CI runs `check`.

_list:
    @just --list

# What CI runs: formatting, lints, docs and every test, those against the real Docker included.
check:
    scripts/test

# The quick half of `check`: no Docker.
quick:
    scripts/test --no-docker

# Starts the server and brings up a first site.
quickstart *args:
    scripts/quickstart {{args}}

# Prints the figures against their peers.
bench *args:
    scripts/bench {{args}}

# Breaks sites under load at random, and checks every acknowledged write.
soak *args:
    scripts/soak {{args}}

# Dependencies: licences, sources, and who may use what. Needs cargo-deny.
deny:
    cargo deny check bans licenses sources

# Writes tests/access.out and tests/scenarios anew after a change of the access rules or the planner.
bless:
    WPAAS_BLESS=1 cargo test -p wpaas-core --all-features access
    WPAAS_BLESS=1 cargo test -p wpaas-tests scenarios
