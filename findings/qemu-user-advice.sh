#!/usr/bin/env bash
#
# Expected: madvise(2) (man-pages 6.03) fails with EINVAL where "advice is not a valid value", which is how programs
# find out what the kernel has. And not all of its advice may be ignored: after MADV_DONTFORK pages are not
# "available to the child after a fork(2)", and a page of MADV_GUARD_INSTALL (Linux 6.13) cannot be touched.
#
# What happens under qemu-user: all advice but MADV_DONTNEED is dropped, and the answer is 0, for numbers too
# that no kernel has (12345 here). So who asks for a guard page is told that there is one, and the page takes
# what is written to it; a stack that overflows runs on into its neighbour. Pages that were not to be there after
# a fork are there. A program has to try the page to know. (target_madvise in linux-user/mmap.c: what is not
# known is taken for a hint.)
#
# The same program runs on the kernel and under the emulator, on x86-64 both times. It tries a page by a write(2)
# from there, which fails with EFAULT if it cannot be touched.
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

cat >"$work/advice.c" <<'C'
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, GUARD_INSTALL = 102, NONE_SUCH = 12345 };

static int pipe_[2];

static const char *advise(char *page, int advice)
{
	return madvise(page, PAGE, advice) == 0 ? "ok" : errno == EINVAL ? "EINVAL" : "failed";
}

static int can_be_touched(char *page) { return write(pipe_[1], page, 1) == 1; }

int main(void)
{
	char *pages = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	if (pages == MAP_FAILED || pipe(pipe_) != 0)
		return 1;
	printf("unknown %s; ", advise(pages, NONE_SUCH));
	printf("guard %s, ", advise(pages, GUARD_INSTALL));
	printf("%s touched; ", can_be_touched(pages) ? "can be" : "cannot be");
	pages[PAGE] = 1;
	printf("not after a fork %s, ", advise(pages + PAGE, MADV_DONTFORK));
	fflush(stdout);
	if (fork() == 0)
		_exit(can_be_touched(pages + PAGE));
	wait(&status);
	printf("%s there\n", WEXITSTATUS(status) ? "is" : "is not");
	return 0;
}
C
cc -static -o "$work/advice" "$work/advice.c"

kernel=$(timeout 20 "$work/advice")
emulator=$(LD_LIBRARY_PATH=$libraries timeout 20 "$work/root/usr/bin/qemu-x86_64" "$work/advice")
echo "kernel: $kernel"
echo "emulator: $emulator"
[ "$kernel" = "unknown EINVAL; guard ok, cannot be touched; not after a fork ok, is not there" ]
[ "$emulator" = "unknown ok; guard ok, can be touched; not after a fork ok, is there" ]
echo "as stated"
