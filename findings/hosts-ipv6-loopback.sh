#!/usr/bin/env bash
#
# Expected: an entry of /etc/hosts is for the family of its address: hosts(5) has a line hold one address with its
# names, and getaddrinfo(3) with AF_INET asks for IPv4 addresses only. A name whose one line says `::1`
# has no IPv4 address.
#
# What happens: where IPv4 is asked for, glibc's `files` service reads a line that begins with `::1` as if it said
# 127.0.0.1. Whoever asks gets an address that stands nowhere in the file. If the name has another line with
# an IPv4 address, it gets both, in the order of the lines. Of other IPv6 addresses nothing is made.
#
# Seen with: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14); nss_files of the same version has it in its parser of
# host entries. It takes root, or a user namespace, for a hosts file of its own.
set -euo pipefail

getent --version | head -n 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '%s\n' '127.0.0.1 localhost' '::1 six.example' '::1 both.example' '10.9.8.7 both.example' \
    '2001:db8::1 far.example' >"$folder/hosts"
printf 'hosts: files\n' >"$folder/nsswitch.conf"
cat >"$folder/ask" <<'ASK'
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
for name in six both far; do
    echo "$name:" $(getent ahostsv4 "$name.example" | sed -n 's/ *STREAM.*//p')
done
ASK
rights=(--mount)
[ "$(id -u)" = 0 ] || rights+=(--map-root-user)
seen=$(unshare "${rights[@]}" bash "$folder/ask" "$folder")
echo "$seen"
[ "$seen" = $'six: 127.0.0.1\nboth: 127.0.0.1 10.9.8.7\nfar:' ]
echo "as stated"
