# What the scripts share: words for people, installing and starting what is missing, asking the API. Sourced by bash, be it
# the one of 2007 that macOS has.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The folder of all that the scripts keep. As whoever called means it: below, this is the root.
state=${WPAAS_STATE:-$root/.wpaas}
if [[ $state != /* ]]; then state=$PWD/$state WPAAS_STATE=$PWD/$state; fi
cd "$root"
# Where Debian has haproxy, dockerd and iptables, and users other than root do not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

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

# refresh_lists: tells apt of the packages there are now, unless that was done within a day.
refresh_lists() {
    local lists
    lists=$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null || true)
    if [[ $lists && $(find "$state/apt-updated" -mmin -1440 2>/dev/null) ]]; then return; fi
    apt-get update -qq || fail 'apt-get update failed'
    mkdir -p "$state"
    touch "$state/apt-updated"
}

# lacks PACKAGE…: ends, with what a person has to do where no script can install them.
lacks() {
    local packages=" $* " how=()
    if [[ $packages == *' rustup '* ]]; then
        how+=("Rust $(needed_rust) or newer: https://rustup.rs$(too_old)")
        packages=${packages/ rustup / }
    fi
    if [[ $packages != ' ' ]] && have apt-get; then
        how+=("The packages: sudo apt-get install${packages% }")
    elif [[ $packages != ' ' ]]; then
        how+=("By your own means:${packages% }")
    fi
    how+=('Then start this again.')
    if [[ $packages == *' docker'* ]]; then how+=('Without Docker the API can be tried: scripts/quickstart --simulated'); fi
    fail "missing: $*" "${how[@]}"
}

# will_install PACKAGES: says so before any is; where none can be, ends with what to do about all of them.
will_install() {
    # shellcheck disable=SC2086 # several words
    if [[ $1 ]] && ! can_install; then lacks $1; fi
    note "will install:  ${1:-nothing, all is there}"
    if [[ " $1" == *' rustup '* && $(find_cargo) ]]; then note "               rustup$(too_old)"; fi
}

# install PACKAGE…: installs Debian packages; where that can't be, says what is missing and ends.
install() {
    can_install || lacks "$@"
    say "installing $*"
    refresh_lists
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# ensure COMMAND PACKAGE…: the command is there, installed if it must be.
ensure() { have "$1" || install "${@:2}"; }

# missing COMMAND:PACKAGE…: the packages whose commands are not there; the commands, where there are no such packages.
missing() {
    local pair
    for pair in "$@"; do
        if have "${pair%%:*}"; then continue; fi
        if have apt-get; then printf '%s ' "${pair#*:}"; else printf '%s ' "${pair%%:*}"; fi
    done
}

# ensure_all COMMAND:PACKAGE…: all of these are there, installed at once if they must be.
ensure_all() {
    local packages
    packages=$(missing "$@")
    # shellcheck disable=SC2086 # several words
    if [[ $packages ]]; then install $packages; fi
}

# Python's environments of one's own, which Debian has in a package apart.
have_venv() { python3 -c 'import ensurepip' 2>/dev/null; }
missing_venv() { have_venv || printf 'python3-venv '; }
ensure_venv() { have_venv || install python3-venv; }

# python_env NAME PACKAGE…: such an environment in the folder of that name, with these packages from PyPI.
python_env() {
    if [[ -f $state/$1/done ]]; then return; fi
    ensure_venv
    say "installing ${*:2} (PyPI)"
    python3 -m venv "$state/$1"
    "$state/$1/bin/pip" install --quiet "${@:2}"
    touch "$state/$1/done"
}

# A stand-in for AWS that we did not write.
install_moto() { python_env moto 'moto[server]>=5.2,<6'; }

missing_postgres() { [[ $(find /usr/lib/postgresql -name initdb 2>/dev/null) ]] || missing initdb:postgresql; }

# The oldest Rust that builds this.
needed_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

find_cargo() { if [[ -x $HOME/.cargo/bin/cargo ]]; then echo "$HOME/.cargo/bin/cargo"; else command -v cargo; fi; }

# have_rust: there is a cargo that builds this: rustup's, which fetches what rust-toolchain.toml names, or one that is new
# enough.
have_rust() {
    local cargo version
    cargo=$(find_cargo) || return 1
    if [[ -x ${cargo%/*}/rustup ]]; then return; fi
    version=$("$cargo" --version | cut -d ' ' -f 2)
    printf '%s\n' "$(needed_rust)" "$version" | sort -c -t . -k 1,1n -k 2,2n 2>/dev/null
}

# too_old: what is wrong with the cargo that there may be, where have_rust says no.
too_old() {
    local cargo
    if cargo=$(find_cargo); then printf ' in the place of %s, which is too old' "$cargo"; fi
}

# missing_to_build: the packages that ensure_compiler and ensure_rust will install.
missing_to_build() {
    missing 'cc:gcc libc6-dev' 'git:git ca-certificates'
    have_rust || printf 'rustup '
}

ensure_compiler() {
    ensure cc gcc libc6-dev
    ensure git git ca-certificates
}

ensure_rust() {
    have_rust || install_rust
    have_rust || fail "rustup is there, but PATH leads to another cargo, which is too old: $(find_cargo)"
    PATH=$HOME/.cargo/bin:$PATH
}

# Debian's rustup takes the place of its cargo.
install_rust() {
    if can_install; then refresh_lists; fi
    if ! can_install || ! apt-cache show rustup >/dev/null 2>&1; then lacks rustup; fi
    install rustup
    rustup default "$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)"
}

docker_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# missing_for_docker: the packages that ensure_docker will install; where it can't, what brings an Engine that may only have to
# be started.
missing_for_docker() {
    if can_install; then
        docker_answers || missing iptables:iptables dockerd:docker.io docker:docker-cli
        missing mmdebstrap:mmdebstrap
    elif ! docker_answers; then
        missing docker:docker.io
    fi
}

# ensure_docker: an Engine answers; on Debian as root it is installed and started if it must be, and what makes a base
# image where no registry can be reached.
ensure_docker() {
    if can_install; then ensure mmdebstrap mmdebstrap; fi
    if docker_answers; then return; fi
    if ! can_install; then
        fail 'no Docker Engine answers' 'Start Docker (Docker Desktop, or the docker service, for users in the group docker) and start this again,' \
            'or try the API without it: scripts/quickstart --simulated'
    fi
    ensure iptables iptables
    ensure dockerd docker.io
    ensure docker docker-cli
    start_engine
}

# The Engine that this script started, of all scripts: its id and its log.
engine=$state/dockerd-$(basename "$0")

under_systemd() { [[ -d /run/systemd/system ]]; }

# start_engine: an Engine answers that end_engine can end.
start_engine() {
    say 'starting the Docker Engine'
    mkdir -p "$state"
    if under_systemd; then
        systemctl start docker
    elif ! docker_answers; then
        # What a killed Engine left behind keeps a new one from starting.
        if ! alive dockerd; then rm -f /var/run/docker.pid; fi
        if ! alive containerd; then rm -f /var/run/docker/containerd/containerd.pid; fi
        launch "$engine.pid" dockerd >"$engine.log" 2>&1
    fi
    local try
    for try in {1..120}; do
        if docker_answers; then break; fi
        sleep 0.25
    done
    docker_answers || fail 'the Docker Engine does not answer after 30 s' "Its log is $engine.log or journalctl -u docker."
    if under_systemd; then systemctl show --property=MainPID --value docker >"$engine.pid"; fi
}

# end_engine: ends the Engine if it is still the one that this script started, and nobody's containers run on it.
end_engine() {
    if ! running "$engine.pid" dockerd; then
        rm -f "$engine.pid"
    elif [[ $(docker container ls --quiet 2>/dev/null) ]]; then
        note 'the Docker Engine stays: containers run on it'
    else
        if under_systemd; then systemctl stop docker.socket docker || true; fi
        end "$engine.pid" dockerd
    fi
}

# reach_docker: an Engine answers that something is to be removed from, or nothing at all is removed.
reach_docker() {
    if docker_answers; then return; fi
    if can_install && have dockerd; then
        start_engine
    else
        fail 'no Docker Engine answers, and what was made in it would be left there' \
            "Start Docker (Docker Desktop, or the docker service), and then this again: scripts/$(basename "$0") --purge"
    fi
}

# command_of PID: the command line of a process that runs. One that was killed and not waited for does not.
command_of() {
    if [[ ! -e /proc/self/stat ]]; then
        ps -p "$1" -o stat=,command= 2>/dev/null | sed -n '/^Z/!s/^[^ ]* *//p'
        return
    fi
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null || true)
    if [[ ! $stat || ${stat##*') '} == [ZX]* ]]; then return; fi
    # One that is just ending has a name, but no command line any more.
    cat "/proc/$1/cmdline" "/proc/$1/comm" 2>/dev/null | tr '\0' ' ' || true
}

# alive NAME: whether a process of that name runs. On Linux only.
alive() {
    local process name
    for process in /proc/[0-9]*; do
        { read -r name <"$process/comm"; } 2>/dev/null || continue
        if [[ $name == "$1" && $(command_of "${process#/proc/}") ]]; then return; fi
    done
    return 1
}

# running FILE TEXT: whether the process whose id is in FILE runs and has that text in its command line.
running() {
    local pid
    [[ -f $1 ]] && pid=$(cat "$1") && [[ $pid && $(command_of "$pid") == *"$2"* ]]
}

# launch FILE COMMAND…: begins it apart from this terminal, and keeps its id in FILE. macOS has no setsid.
launch() {
    if have setsid; then
        setsid nohup "${@:2}" </dev/null &
    else
        nohup "${@:2}" </dev/null &
    fi
    echo $! >"$1"
    # For a moment it is still this script.
    local try
    for try in {1..100}; do
        if [[ $(command_of $!) != "$(command_of $$)" ]]; then return; fi
        sleep 0.02
    done
}

# end FILE TEXT: ends the process whose id is in FILE, if it still has that text in its command line.
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

# ours KIND INSTALLATION [OPTION…]: the ids of the Docker objects of this kind that carry the label of this installation.
ours() { docker "$1" ls "${@:3}" --quiet --filter "label=wpaas.installation=$2"; }

# remove_ours INSTALLATION: removes every Docker object that carries its label.
remove_ours() {
    local id
    for id in $(ours container "$1" --all); do docker container rm --force --volumes "$id" >/dev/null; done
    for id in $(ours network "$1"); do docker network rm "$id" >/dev/null; done
    for id in $(ours volume "$1"); do docker volume rm "$id" >/dev/null; done
}

# A secret of 24 letters and digits. The list of processes shows what commands are given, to all: a secret goes into one by
# standard input, a file or the environment.
secret() { head -c 400 /dev/urandom | LC_ALL=C tr -dc 'a-zA-Z0-9' | head -c 24; }

# call METHOD PATH TOKEN [BODY]: asks the API at $api and prints the answer; what it refuses ends the script.
# shellcheck disable=SC2154 # whoever calls sets it
call() {
    local answer code
    answer=$(curl -sS -X "$1" -H @<(printf 'Authorization: Bearer %s\n' "$3") -H 'Content-Type: application/json' \
        --write-out '\n%{http_code}' ${4:+--data-binary @-} "$api$2" <<<"${4-}")
    code=${answer##*$'\n'} answer=${answer%$'\n'*}
    if ((code >= 400)); then
        fail "$1 $2 answered $code" "$(jq -r '.detail // .title // .' <<<"$answer" 2>/dev/null || printf '%s' "$answer")"
    fi
    printf '%s' "$answer"
}

# tenant NAME EMAIL OPERATOR: a customer with a user `dev` who may make sites, unless they are there, and a key of that user:
# `cid` and `key`.
# shellcheck disable=SC2034 # whoever calls reads them
tenant() {
    local users space
    cid=$(call GET '/customers?limit=500' "$3" | jq -r --arg email "$2" '.items[] | select(.username == $email).cid')
    if [[ ! $cid ]]; then
        cid=$(call POST /customers "$3" "$(password=$(secret) jq -n --arg name "$1" --arg email "$2" \
            '{name: $name, email: $email, username: $email, password: $ENV.password}')" | jq -r .cid)
    fi
    users=$(call GET "/users/$cid" "$3" | jq -r '.items[].username')
    if grep -qx dev <<<"$users"; then
        key=$(call POST "/users/$cid/dev/keys" "$3" '{}' | jq -r .key)
        return
    fi
    space=$(call GET "/orgs/$cid/default" "$3" | jq -r .id)
    space=$(call GET "/spaces/$space/default" "$3" | jq -r .id)
    key=$(call POST /users "$3" "$(password=$(secret) jq -n --arg cid "$cid" --arg space "$space" \
        '{cid: $cid, username: "dev", name: "A developer", email: "dev@example.com", password: $ENV.password,
          spaces: [$space], enabled: true}')" | jq -r .api_key.key)
}

# --- what the scripts that try others share

# check WHAT COMMAND…: ends all where the command says no.
# shellcheck disable=SC2154 # whoever calls sets them
check() {
    if "${@:2}"; then note "ok: $1"; else fail "not so: $1" "The output of what was tried is $log, its state $here."; fi
}
is_not() { ! "$@"; }
# soon COMMAND…: whether it says yes within a minute.
soon() {
    local try
    for try in {1..120}; do
        if "$@"; then return; fi
        sleep 0.5
    done
    return 1
}
