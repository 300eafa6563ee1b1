#!/usr/bin/env bash
#
# Expected: aio(7) (man-pages 6.03): the POSIX asynchronous I/O interface "allows applications to initiate one or
# more I/O operations that are performed asynchronously (i.e., in the background)". POSIX orders only writes that
# append. So on a socket a read can wait for the peer's answer while a write sends the question.
#
# What happens in glibc: requests for one descriptor are done one after another, those of equal priority in the
# order in which they were made. A write that is begun while a read waits for data is not even tried before that
# read is done, though aio_write() says 0 and aio_error() says EINPROGRESS. A client that posts its read first,
# so as not to miss the answer, asks nothing, and both sides wait. What counts is the number: by another one for
# the same socket (dup) the write is done at once. musl has no such order. Neither aio(7) nor aio_write(3) tells
# of it; the queue of each descriptor is made in __aio_enqueue_request().
#
# Seen with: glibc 2.36-9+deb12u14 (Debian 12) and musl 1.2.3-1 (fetched here from Debian).
# It needs a C compiler, `cc`, for x86-64.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download musl-dev=1.2.3-1 >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
dpkg -x "$work"/musl-dev_*.deb "$work/musl"

cat >"$work/ask.c" <<'C'
#include <aio.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[2][1];

/* Whether the request is done within so many seconds. */
static const char *done(struct aiocb *request, int seconds)
{
	const struct aiocb *list[] = { request };
	struct timespec time = { seconds, 0 };
	aio_suspend(list, 1, &time);
	return aio_error(request) == 0 ? "done" : aio_error(request) == EINPROGRESS ? "waits" : "failed";
}

static struct aiocb begin(int fd, int n)
{
	struct aiocb request = { .aio_fildes = fd, .aio_buf = buffer[n], .aio_nbytes = 1 };
	return request;
}

int main(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 1;
	struct aiocb answer = begin(pair[0], 0), question = begin(pair[0], 1), other = begin(dup(pair[0]), 1);
	if (aio_read(&answer) != 0 || aio_write(&question) != 0)
		return 1;
	printf("question %s", done(&question, 1));
	if (aio_write(&other) != 0)
		return 1;
	printf(", by another number %s", done(&other, 5));
	if (write(pair[1], "!", 1) != 1)
		return 1;
	printf(", after an answer %s\n", done(&question, 5));
	return 0;
}
C

cc -o "$work/glibc-ask" "$work/ask.c"
lib=$work/musl/usr/lib/x86_64-linux-musl
cc -static -nostdinc -isystem "$work/musl/usr/include/x86_64-linux-musl" -nostdlib -fno-stack-protector \
    -D_GNU_SOURCE -o "$work/musl-ask" "$lib/crt1.o" "$lib/crti.o" "$work/ask.c" "$lib/libc.a" "$lib/crtn.o"

different=0
check() {
    local seen
    seen=$(timeout 20 "$work/$1-ask") || true
    echo "$1: $seen"
    [ "$seen" = "$2" ] || different=1
}
check glibc "question waits, by another number done, after an answer done"
check musl "question done, by another number done, after an answer done"
exit $different
