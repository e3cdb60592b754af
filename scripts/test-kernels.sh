#!/usr/bin/env bash
# Runs the sensor tests on Debian's own kernels in virtual machines, where LSM and fexit work: each kernel boots once
# with the security module `bpf` (opens come from LSM) and once without (from fexit). Software emulation (TCG) only.
#
#   scripts/test-kernels.sh [6.1] [6.12]     which kernels; all without arguments
#   PLIMSOLL_KERNEL_ONLY=guards,filters      only tests with one of these in their names
#   PLIMSOLL_KERNEL_TEST=PATH                this test binary instead of a freshly built one
#   PLIMSOLL=PATH                            this command instead of a freshly built one
#   PLIMSOLL_KERNEL_TIMEOUT=SECONDS          for each machine, 2400 without it
#
# What `plimsoll agent doctor` says in each machine is left in target/kernels/VERSION/doctor-MECHANISM.txt.
#
# Needs Debian's qemu-system-x86, busybox-static, cpio, perl and xz-utils; not root.
set -euo pipefail
cd "$(dirname "$0")/.."

work=target/kernels
mkdir -p "$work"
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(6.1 6.12)

fail() {
	printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}

for tool in qemu-system-x86_64 busybox cpio perl strip apt-get dpkg-deb; do
	command -v "$tool" >/dev/null || fail "$tool is missing" "apt-get install qemu-system-x86 busybox-static cpio perl"
done

# The newest image package of a Debian suite, from the machine's own mirror, with package lists of its own.
fetch_kernel() { # VERSION SUITE
	local lists="$PWD/$work/apt-$2" mirror
	[ -e "$work/$1/vmlinuz" ] && return
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -1)
	[ -n "$mirror" ] || fail "no Debian mirror is configured" "the kernels come from Debian 12's archive"
	mkdir -p "$lists"/{parts,lists/partial,cache/archives/partial}
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
		"$mirror" "$2" /usr/share/keyrings/debian-archive-keyring.gpg >"$lists/parts/debian.sources"
	local apt=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$lists/parts"
		-o "Dir::State::lists=$lists/lists" -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
	apt-get "${apt[@]}" update
	local package
	package=$(apt-cache "${apt[@]}" depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
	(cd "$lists" && apt-get "${apt[@]}" download "$package")
	mkdir -p "$work/$1"
	dpkg-deb -x "$lists/${package}"_*.deb "$work/$1/package"
	cp "$work/$1"/package/boot/vmlinuz-* "$work/$1/vmlinuz"
	find "$work/$1/package" -name 'overlay.ko*' -exec cp {} "$work/$1/" \;
	if [ -e "$work/$1/overlay.ko.xz" ]; then xz -df "$work/$1/overlay.ko.xz"; fi
}

# A program with the libraries that it needs.
add_program() { # ROOT PROGRAM [AS]
	local file
	for file in $(ldd "$2" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$1$(dirname "$file")"
		cp -Ln "$file" "$1$file"
	done
	mkdir -p "$1$(dirname "${3:-$2}")"
	cp -Ln "$2" "$1${3:-$2}"
}

make_root() { # ROOT TEST COMMAND
	rm -rf "$1"
	mkdir -p "$1"/{etc,proc,sys,dev,tmp,run,new,usr/bin,usr/lib,usr/lib64,usr/sbin}
	ln -s usr/bin "$1/bin"
	ln -s usr/sbin "$1/sbin"
	ln -s usr/lib "$1/lib"
	ln -s usr/lib64 "$1/lib64"
	local program
	for program in dash echo true sleep cat cp mv rm mkdir mount unshare perl tail; do
		add_program "$1" "/usr/bin/$program"
	done
	add_program "$1" /usr/sbin/chroot
	cp /etc/passwd /etc/group /etc/hosts "$1/etc/"
	ln -s dash "$1/usr/bin/sh"
	cp -r --parents /usr/lib/x86_64-linux-gnu/perl-base "$1"
	cp "$(command -v busybox)" "$1/usr/bin/busybox"
	add_program "$1" "$2" /kernel-test
	add_program "$1" "$3" /plimsoll
	strip "$1/kernel-test" "$1/plimsoll"
	cp scripts/kernels/init "$1/init"
	chmod 755 "$1/init"
}

boot() { # VERSION SECURITY_MODULES EXPECTED_MECHANISM
	local log="$work/$1/$3.log" start=$SECONDS
	echo "== Linux $1 with lsm=$2: opens must come from $3"
	# Without cx16: QEMU 7.2 was seen to return from cmpxchg16b with an address in the flags register, and SLUB uses it.
	timeout "${PLIMSOLL_KERNEL_TIMEOUT:-2400}" qemu-system-x86_64 -accel tcg -cpu qemu64,-cx16 -m 1536 -smp 2 -nographic -no-reboot -nodefaults -serial stdio \
		-kernel "$work/$1/vmlinuz" -initrd "$work/$1/initramfs" \
		-append "console=ttyS0 quiet panic=-1 lsm=$2 plimsoll_expect=$3${PLIMSOLL_KERNEL_ONLY:+ plimsoll_only=$PLIMSOLL_KERNEL_ONLY}" </dev/null >"$log" 2>&1 || true
	tr -d '\r' <"$log" | sed -n '/doctor begins$/,/^doctor ends/{/doctor \(begins\|ends\)/!p}' >"$work/$1/doctor-$3.txt"
	grep -aE '^(test |test result|  (yes|NO|off) |SKIPPED|kernel )' "$log" | tr -d '\r' || true
	if ! grep -aq '^plimsoll kernel tests: 0' "$log"; then
		tail -n 60 "$log"
		fail "the sensor tests failed on Linux $1 ($3)" "the whole console is in $log"
	fi
	echo "== passed in $((SECONDS - start)) s"
}

test_binary=${PLIMSOLL_KERNEL_TEST:-}
if [ -z "$test_binary" ]; then
	test_binary=$(cargo test --locked -p plimsoll-runtime --test kernel --no-run --message-format=json |
		perl -ne 'print "$1\n" if /"name":"kernel".*"executable":"([^"]+)"/' | tail -1)
fi

command=${PLIMSOLL:-}
if [ -z "$command" ]; then
	cargo build --locked --quiet -p plimsoll-cli
	command=target/debug/plimsoll
fi

make_root "$work/root" "$(realpath "$test_binary")" "$(realpath "$command")"
for version in "${versions[@]}"; do
	case $version in
	6.1) fetch_kernel 6.1 bookworm ;;
	6.12) fetch_kernel 6.12 bookworm-backports ;;
	*) fail "no kernel $version" "6.1 and 6.12 are known" ;;
	esac
	cp "$work/$version/overlay.ko" "$work/root/overlay.ko"
	(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/$version/initramfs"
	boot "$version" lockdown,capability,yama,bpf lsm
	boot "$version" lockdown,capability,yama fexit
done
