#!/bin/bash
# Writes the root file system that the node images start from, as a tar archive, to standard output:
# Debian trixie with its security updates, apt, and no manuals. For `docker import`, where no image
# registry can be reached. Needs root and mmdebstrap; says what it does on standard error.
set -euo pipefail
exclude=()
for folder in doc info locale man; do
    exclude+=("--dpkgopt=path-exclude=/usr/share/$folder/*")
done
exec mmdebstrap --variant=apt "${exclude[@]}" --aptopt='APT::Install-Recommends "false"' trixie -
