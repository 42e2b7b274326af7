# What the scripts share: words for people, and installing and starting what is missing. Sourced by bash.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=$root/.wpaas
cd "$root"

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
note() { printf '    %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# can_install: whether this is a Debian-like machine on which packages can be installed without asking.
can_install() { have apt-get && [[ $(id -u) == 0 ]]; }

# install PACKAGE…: installs Debian packages; where that can't be, says what is missing and ends.
install() {
    if ! can_install; then
        fail "missing: $*" 'They can only be installed here as root on Debian or Ubuntu.' \
            'Install them by your own means and start this again.'
    fi
    say "installing $*"
    if [[ ! -f $state/apt-updated ]]; then
        apt-get update -qq
        mkdir -p "$state" && touch "$state/apt-updated"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# ensure COMMAND PACKAGE: the command is there, installed if it must be.
ensure() { have "$1" || install "$2"; }

# missing COMMAND:PACKAGE…: the packages whose commands are not there.
missing() {
    local pair
    for pair in "$@"; do have "${pair%%:*}" || printf '%s ' "${pair#*:}"; done
}

ensure_rust() {
    if have cargo || [[ -x $HOME/.cargo/bin/cargo ]]; then
        PATH=$HOME/.cargo/bin:$PATH
        return
    fi
    if can_install && apt-cache show rustup >/dev/null 2>&1; then
        install rustup
        rustup default "$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)"
        return
    fi
    fail 'missing: Rust' 'Install it from https://rustup.rs and start this again.'
}

ensure_compiler() {
    have cc || install gcc libc6-dev
    have git || install git ca-certificates
}

docker_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# ensure_docker: an Engine answers; on Debian as root it is installed and started if it must be.
ensure_docker() {
    if have docker && docker_answers; then return; fi
    if ! can_install; then
        fail 'no Docker Engine answers' 'Start Docker (Docker Desktop, or the docker service) and start this again,' \
            'or try the API without it: scripts/quickstart --simulated'
    fi
    have ps || install procps
    have dockerd || install docker.io iptables
    have docker || install docker-cli
    have mmdebstrap || install mmdebstrap
    if ! docker_answers; then start_dockerd; fi
}

# alive NAME: whether a process of that name runs; one that has ended and was not waited for does not.
# shellcheck disable=SC2009 # pgrep does not tell the dead from the living
alive() { ps -C "$1" -o stat= 2>/dev/null | grep -qv '^Z'; }

start_dockerd() {
    say 'starting the Docker Engine'
    if [[ -d /run/systemd/system ]]; then
        systemctl start docker
    else
        mkdir -p "$state"
        # What a killed Engine left behind keeps a new one from starting.
        if ! alive dockerd; then rm -f /var/run/docker.pid; fi
        if ! alive containerd; then rm -f /var/run/docker/containerd/containerd.pid; fi
        setsid nohup dockerd >"$state/dockerd.log" 2>&1 </dev/null &
        echo $! >"$state/dockerd.pid"
    fi
    local try
    for try in {1..120}; do
        if docker_answers; then return; fi
        sleep 0.25
    done
    fail "the Docker Engine does not answer after $((try / 4)) s" "Its log is $state/dockerd.log or journalctl -u docker."
}

# running FILE WORD: whether the process whose id is in FILE runs and is the one of that name. One that was killed and not
# waited for does not run.
running() {
    [[ -f $1 ]] && ps -p "$(cat "$1")" -o stat=,command= 2>/dev/null | grep -v '^Z' | grep -q -- "$2"
}

# began FILE: keeps the id of the process that was just begun in the background. For a moment it is still this script.
began() {
    echo $! >"$1"
    local try
    for try in {1..100}; do
        if [[ $(ps -p "$(cat "$1")" -o command= 2>/dev/null) != "$(ps -p $$ -o command=)" ]]; then return; fi
        sleep 0.02
    done
}

# end FILE WORD: ends the process whose id is in FILE, if it still is the one of that name.
end() {
    local pid try
    if running "$1" "$2"; then
        pid=$(cat "$1")
        kill -TERM "$pid" 2>/dev/null || true
        for try in {1..200}; do
            if ! running "$1" "$2"; then break; fi
            sleep 0.1
        done
        if ((try == 200)); then kill -KILL "$pid" 2>/dev/null || true; fi
    fi
    rm -f "$1"
}

# ours: every Docker object that carries the label of this installation, by kind.
ours() { docker "$1" ls "${@:3}" --quiet --filter "label=wpaas.installation=$2"; }

# call METHOD PATH TOKEN [BODY]: asks the API at $api and prints the answer; what it refuses ends the script.
# shellcheck disable=SC2154 # whoever calls sets it
call() {
    local answer code
    answer=$(curl -sS -X "$1" -H "Authorization: Bearer $3" -H 'Content-Type: application/json' \
        --write-out '\n%{http_code}' "$api$2" ${4:+--data "$4"})
    code=${answer##*$'\n'} answer=${answer%$'\n'*}
    if ((code >= 400)); then
        fail "$1 $2 answered $code" "$(jq -r '.detail // .title // .' <<<"$answer" 2>/dev/null || printf '%s' "$answer")"
    fi
    printf '%s' "$answer"
}
