/* A program that loads a library before any thread was started: the runtime starts in a constructor, while
 * the loader has its lock. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 2 || dlopen(argv[1], RTLD_NOW) == NULL)
        printf("nothing loaded\n");
    printf("loaded\n");
    return 0;
}
