/* Counts words, as wc does. Without arguments: lines, words and bytes of all of standard input. With -l: the words
   of each line on a line of its own, so that every item of a job has its own answer. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    int each_line = argc > 1 && strcmp(argv[1], "-l") == 0;
    if (argc > 1 && !each_line) {
        fprintf(stderr, "words: unknown option %s; the only one is -l\n", argv[1]);
        return 2;
    }
    unsigned long lines = 0, words = 0, bytes = 0, in_line = 0;
    int in_word = 0;
    for (int c; (c = getchar()) != EOF;) {
        bytes++;
        if (isspace(c)) {
            in_word = 0;
        } else if (!in_word) {
            in_word = 1;
            words++, in_line++;
        }
        if (c == '\n') {
            lines++;
            if (each_line) printf("%lu\n", in_line);
            in_line = 0;
        }
    }
    if (!each_line) printf("%lu %lu %lu\n", lines, words, bytes);
    return 0;
}
