#!/usr/bin/env bash
#
# Expected: getsockopt(2) (man-pages 6.03) sets the length "to indicate the actual size of the value returned", and
# fails with ENOPROTOOPT if "the option is unknown at the level indicated". So who gets 0 has the value.
#
# What happens under qemu-user: an option that it does not know as something else counts as an int, at the levels
# SOL_SOCKET and TCP. The answer is 0, the length 4, and the value its first four bytes; the rest of the buffer is
# as it was. So a timeout of 1.5 s reads as 1 s, and one of 0.5 s as none, if it is asked for by its number that
# is safe beyond 2038 (SO_RCVTIMEO_NEW, which rustix uses first; the old number works). Of struct tcp_info there is
# one word. The name of the congestion control has no end if it has four letters, and is a piece of it
# otherwise. (int_case in do_getsockopt, linux-user/syscall.c.)
#
# Seen with: Linux 6.18, Debian 12's qemu-user 1:7.2+dfsg-7+deb12u18+b3 (fetched here from Debian with the libraries
# that it needs). It needs a C compiler, `cc`, for x86-64, and glibc's libc.a.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances qemu-user | grep '^lib' | grep -v ':' | sort -u)
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download qemu-user=1:7.2+dfsg-7+deb12u18+b3 $needed >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done
libraries=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu

cat >"$work/options.c" <<'C'
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { RCVTIMEO_OLD = 20, RCVTIMEO_NEW = 66 };

static char value[512];

/* The length of the answer, which is in `value`; zeros where nothing is written. */
static int ask(int fd, int level, int option)
{
	socklen_t len = sizeof value;
	memset(value, 0, sizeof value);
	return getsockopt(fd, level, option, value, &len) == 0 ? (int)len : -1;
}

static double seconds(void)
{
	long long time[2];
	memcpy(time, value, sizeof time);
	return time[0] + time[1] / 1e6;
}

int main(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), len;
	struct timeval set = { 1, 500000 };
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, RCVTIMEO_OLD, &set, sizeof set) != 0)
		return 1;
	len = ask(fd, SOL_SOCKET, RCVTIMEO_OLD);
	printf("timeout, old number: %d bytes, %.1f s; ", len, seconds());
	len = ask(fd, SOL_SOCKET, RCVTIMEO_NEW);
	printf("new number: %d bytes, %.1f s; ", len, seconds());
	printf("tcp_info %s; ", ask(fd, IPPROTO_TCP, TCP_INFO) >= 104 ? "whole" : "cut");
	printf("congestion control %s\n", ask(fd, IPPROTO_TCP, TCP_CONGESTION) == 16 ? "whole" : "cut");
	return 0;
}
C
cc -static -o "$work/options" "$work/options.c"

kernel=$(timeout 20 "$work/options")
emulator=$(LD_LIBRARY_PATH=$libraries timeout 20 "$work/root/usr/bin/qemu-x86_64" "$work/options")
echo "kernel: $kernel"
echo "emulator: $emulator"
[ "$kernel" = "timeout, old number: 16 bytes, 1.5 s; new number: 16 bytes, 1.5 s; tcp_info whole; congestion control whole" ]
[ "$emulator" = "timeout, old number: 16 bytes, 1.5 s; new number: 4 bytes, 1.0 s; tcp_info cut; congestion control cut" ]
echo "as stated"
