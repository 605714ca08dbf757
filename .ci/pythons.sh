#!/usr/bin/env bash
# Pythons that Debian's stable release and most build machines do not have yet, in a folder of
# Debian sid, without a compiler: what README.rst tells a newcomer to type must work there.
#
#   sudo .ci/pythons.sh make  FOLDER [MIRROR]              debootstrap sid, CPython 3.14 and 3.15
#   sudo .ci/pythons.sh demo  FOLDER VERSION               README's first command: install, demo
#   sudo .ci/pythons.sh test  FOLDER VERSION [ARGUMENT...] README's test command, pytest's arguments
#   sudo .ci/pythons.sh shell FOLDER [COMMAND...]          anything else, inside
#
# Needs root, Debian or a relative, and `apt-get install debootstrap`. MIRROR is the first one of
# this machine's apt unless given. The folder is disposable: `rm -r` removes it, nothing stays mounted.
set -euo pipefail

usage() {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

PYTHONS=${PYTHONS:-3.14 3.15}
root=$(cd "$(dirname "$0")/.." && pwd)
what=${1:-}
[ -n "${2:-}" ] || usage
folder=$2
shift 2

host_mirror() {
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | sed -n '/debian/{p;q}'
}

# In a mount namespace of its own, so that /proc and /dev vanish with the command.
inside() {
    unshare --mount -- bash -c '
        set -e
        folder=$1; shift
        mount --rbind /dev "$folder/dev"
        mount -t proc proc "$folder/proc"
        exec chroot "$folder" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
            DEBIAN_FRONTEND=noninteractive PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
            PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 "$@"
    ' inside "$folder" "$@"
}

make() {
    mirror=${1:-$(host_mirror)}
    debootstrap --variant=minbase sid "$folder" "$mirror"
    cp /etc/resolv.conf /etc/hosts "$folder/etc/"
    packages=(ca-certificates)
    for version in $PYTHONS; do
        packages+=("python$version" "python$version-venv")
    done
    # a mirror may be a copy that is frozen; what is on it is signed all the same
    inside apt-get -o Acquire::Check-Valid-Until=false update
    inside apt-get install -y --no-install-recommends "${packages[@]}"
    # authorities that this machine trusts beside Debian's: those of a proxy, say
    mkdir -p "$folder/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' \
        -exec cp -t "$folder/usr/local/share/ca-certificates" {} + 2>/dev/null || true
    inside update-ca-certificates
}

# A fresh copy of the working tree, a fresh virtual environment, one line of README.rst.
readme() {
    version=$1 pattern=$2
    shift 2
    line=$(grep -m1 -E "^ +python -m pip install .*&& $pattern" "$root/README.rst") || {
        echo "README.rst lost its command with $pattern" >&2
        exit 1
    }
    work=/tmp/soniox-sync-$version
    rm -rf "${folder:?}$work"
    mkdir -p "$folder$work/src"
    (cd "$root" && git ls-files -z --cached --others --exclude-standard |
        tar --null --ignore-failed-read -cf - -T -) | tar -xf - -C "$folder$work/src"
    inside bash -c '
        set -euo pipefail
        cd "$1/src"; shift
        for compiler in cc gcc c++ clang; do
            if command -v "$compiler"; then echo "a compiler is here" >&2; exit 1; fi
        done
        "python$1" -m venv ../venv; shift
        . ../venv/bin/activate
        python -VV
        line=$1; shift
        install=${line%%&&*} run=${line#*&&}
        eval "$install"
        pip list --format=freeze | tr "\n" " "; echo
        [ $# -eq 0 ] || run+=" $(printf "%q " "$@")"
        eval "$run"
    ' readme "$work" "$version" "$line" "$@"
}

case $what in
make) make "$@" ;;
demo) readme "${1:?version}" "soniox-sync demo" "${@:2}" ;;
test) readme "${1:?version}" "python -m pytest" "${@:2}" ;;
shell) inside "${@:-bash}" ;;
*) usage ;;
esac
