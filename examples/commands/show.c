/* Shows everything a command can see: arguments, environment, files, clocks, chance and standard input. The same in
   a tab and on a server. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void show_file(const char *path) {
    char text[64];
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, sizeof text, file) : 0;
    printf("file %s: %.*s\n", path, (int)length, text);
    if (file && fseek(file, -2, SEEK_END) == 0) printf("  from its end, %ld: %c\n", ftell(file), fgetc(file));
    if (file) fclose(file);
}

static void show_folder(const char *path) {
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat status;
        char name[512];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || stat(name, &status) != 0) continue;
        printf("entry %s: %s, %lld bytes\n", name, S_ISDIR(status.st_mode) ? "folder" : "file", (long long)status.st_size);
        if (S_ISDIR(status.st_mode)) show_folder(name);
        else show_file(name);
    }
    if (folder) closedir(folder);
}

static void show_clocks(void) {
    struct timespec real, steady, wait = {.tv_sec = 3600};
    clock_gettime(CLOCK_REALTIME, &real);
    nanosleep(&wait, NULL);
    clock_gettime(CLOCK_MONOTONIC, &steady);
    printf("time %lld.%09ld, an hour later %lld.%09ld\n", (long long)real.tv_sec, real.tv_nsec, (long long)steady.tv_sec,
           steady.tv_nsec);
}

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("argument %d: %s\n", i, argv[i]);
    for (char **variable = environ; *variable; variable++) printf("variable %s\n", *variable);
    show_folder("/");
    show_clocks();
    unsigned char chance[8];
    getentropy(chance, sizeof chance);
    printf("chance");
    for (size_t i = 0; i < sizeof chance; i++) printf(" %02x", chance[i]);
    printf("\nwriting: %s\n", fopen("new", "w") ? "possible" : strerror(errno));
    printf("terminal: %s\n", isatty(1) ? "yes" : "no");
    for (int c; (c = getchar()) != EOF;) putchar(c);
    fputs("shown\n", stderr);
    return argc > 1 && strcmp(argv[1], "fail") == 0 ? 7 : 0;
}
