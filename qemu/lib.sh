# shellcheck shell=bash
# lib.sh: what run, image and bench share. Sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${FINIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/finit}
kvm=/dev/kvm

say() { printf 'qemu: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need PROGRAM=PACKAGE...: install the packages whose program is not there, and no others.
need() {
    local pair missing=()
    PATH=$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin
    for pair; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "install these first, this is no Debian with apt-get: ${missing[*]}"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "run this once as root, or first: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    # A fresh machine has no package lists yet, or those of its installation, with a Rust that is too old.
    as_root apt-get -qq update || say "apt-get could not fetch package lists: those that are there have to do"
    # shellcheck disable=SC2048,SC2086 # a program can need two packages
    apt_install ${missing[*]} || die "apt-get could not install: ${missing[*]}"
}
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Sets finit and finitctl to the programs to put into the machine, building them unless FINIT_BIN names a folder.
find_finit() {
    local top target
    if [ -n "${FINIT_BIN:-}" ]; then
        finit=$FINIT_BIN/finit
    else
        # cargo-web is Debian 12's newest Rust; finit is linked statically, so it needs libc6-dev's libc.a.
        need cargo=cargo-web cc=gcc\ libc6-dev
        top=$(dirname "$here")
        target=${CARGO_TARGET_DIR:-$top/target}
        (cd "$top" && cargo build --release --locked --bins >&2) || die "finit does not build"
        # Cargo writes to target/TRIPLE/release when the project sets a target: the newest is the one just built.
        # shellcheck disable=SC2012 # names under target/ are Cargo's own, without blanks
        finit=$( (ls -t "$target"/release/finit "$target"/*/release/finit 2>/dev/null || :) | head -n 1)
    fi
    finitctl=$(dirname "$finit")/finitctl
    [[ -x $finit && -x $finitctl ]] || die "no finit and finitctl in ${FINIT_BIN:-$target}"
}

# install_finit DISK: writes finit into an ext4 image. debugfs needs neither root nor a loop mount and takes a
# moment; links that exist already are left alone, and so is a finit.toml that was edited in the machine.
install_finit() {
    local disk=$1 name got=0
    # A machine that was killed left its journal unreplayed, and debugfs must not write to that. 1: repaired.
    e2fsck -p "$disk" >/dev/null || got=$?
    [ "$got" -le 1 ] || die "e2fsck cannot repair $disk by itself; --fresh makes a new one"
    {
        for name in sbin/finit:"$finit" bin/finitctl:"$finitctl"; do
            echo "rm /usr/${name%%:*}"
            echo "write \"${name#*:}\" /usr/${name%%:*}"
            echo "sif /usr/${name%%:*} mode 0100755"
        done
        echo "symlink /usr/sbin/init finit"
        for name in poweroff reboot halt shutdown telinit; do echo "symlink /usr/sbin/$name ../bin/finitctl"; done
        # What makes service(8) and the scripts of packages act on finit's services.
        for name in lib/lsb/init-functions.d/50-finit:0100644 sbin/runlevel:0100755; do
            echo "rm /usr/${name%:*}"
            echo "write \"$(dirname "$here")/config/debian/$(basename "${name%:*}")\" /usr/${name%:*}"
            echo "sif /usr/${name%:*} mode ${name#*:}"
        done
        echo "write \"$here/finit.toml\" /etc/finit.toml" # refused when there is one
        echo "sif /etc/finit.toml mode 0100644"
    } | debugfs -w -f - "$disk" >/dev/null 2>&1
    holds "$disk" /usr/sbin/finit "$finit"
    holds "$disk" /usr/bin/finitctl "$finitctl"
}
holds() {
    debugfs -R "cat $2" "$1" 2>/dev/null | cmp -s - "$3" || die "$3 could not be written into $1 (is it full?)"
}

# release BZIMAGE: its version as uname -r has it; nothing where that is not to be found. The kernel's
# Documentation/arch/x86/boot.rst: at 0x20e stands where the text is, counted from 0x200.
release() {
    python3 -c 'import sys
head = open(sys.argv[1], "rb").read(65536)
at = int.from_bytes(head[0x20e:0x210], "little") + 0x200
print(head[at:].split(b"\0")[0].decode("ascii", "replace").split(" ")[0] if head[0x202:0x206] == b"HdrS" else "")' "$1"
}

# copy_disks FROM TO: the three disks of a machine; holes stay holes, and blocks are shared where the host can.
copy_disks() {
    local disk
    for disk in root srv swap; do cp --sparse=always --reflink=auto "$1/$disk.img" "$2/$disk.img"; done
}

# accel BASE: prints the accelerator. /dev/kvm alone proves nothing: some nested hosts offer it and then hang the guest, so a kernel
# is booted without a root once per boot of the host: it panics, and panic=-1 with -no-reboot ends QEMU.
accel() {
    local base=$1 key verdict=tcg
    key="$(cat /proc/sys/kernel/random/boot_id) $(basename "$base")"
    if [ -n "${FINIT_ACCEL:-}" ]; then echo "$FINIT_ACCEL" && return; fi
    if [ "$(head -n 1 "$cache/accel" 2>/dev/null)" != "$key" ]; then
        if [ -w "$kvm" ] && timeout -s KILL 6 qemu-system-x86_64 -accel kvm -cpu host -m 256 -nodefaults -display none \
            -no-reboot -kernel "$base/vmlinuz" -append panic=-1 >/dev/null 2>&1 </dev/null; then
            verdict=kvm
        fi
        printf '%s\n%s\n' "$key" "$verdict" >"$cache/accel"
    fi
    sed -n 2p "$cache/accel"
}

# machine_args DIR: sets args to the QEMU words for a machine with the disks of DIR. No default devices: only what
# is named here exists, so that a boot is the same everywhere and needs no option ROMs.
machine_args() {
    args=(-nodefaults -no-user-config -display none -device virtio-rng-pci)
    for disk in root srv swap; do
        args+=(-drive "file=$1/$disk.img,format=raw,if=virtio,cache=unsafe,discard=unmap${snapshot:+,snapshot=on}")
    done
}
