/* Sorts the lines of standard input by their bytes, as sort does under LC_ALL=C. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    char **lines = NULL, *line = NULL;
    size_t count = 0, room = 0, size = 0;
    while (getline(&line, &size, stdin) >= 0) {
        if (count == room) {
            room = room ? 2 * room : 1024;
            lines = realloc(lines, room * sizeof *lines);
        }
        if (!lines || !(lines[count++] = strdup(line))) {
            fputs("sortlines: out of memory\n", stderr);
            return 1;
        }
    }
    qsort(lines, count, sizeof *lines, by_bytes);
    for (size_t i = 0; i < count; i++) fputs(lines[i], stdout);
    return 0;
}
