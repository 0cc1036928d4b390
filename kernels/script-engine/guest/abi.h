/* The kernel ABI as this guest sees it (kernels/abi says what each function promises), and the few
   things every part of the guest shares. One shard runs in one instance, so all state is global. */
#ifndef ELYTRA_ABI_H
#define ELYTRA_ABI_H
#include "quickjs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST(function) __attribute__((import_module("elytra"), import_name(#function))) extern
HOST(input_len) uint32_t input_len(void);
HOST(input_read) void input_read(void *to, uint32_t offset, uint32_t length);
HOST(output_write) void output_write(const void *from, uint32_t length);
HOST(log) void host_log(const void *from, uint32_t length);

extern JSContext *cx;

/* A growing piece of text or bytes. */
typedef struct {
    char *data;
    size_t length, room;
} Buffer;
void append(Buffer *buffer, const void *bytes, size_t length);
void append_text(Buffer *buffer, const char *text);
void append_number(Buffer *buffer, int64_t number);
/* The value as JavaScript's String() gives it; what cannot be told is skipped. */
void append_value(Buffer *buffer, JSValueConst value);

/* failure.c: how a run ends that has no output. */
#define NO_ITEM (-1)
extern int64_t current_item;
extern bool allocation_refused;
_Noreturn void fail(const char *text);
_Noreturn void fail_text(Buffer *text);
/* Takes the pending exception. */
_Noreturn void fail_exception(void);
/* A value that was thrown, or that a promise was rejected with. */
_Noreturn void fail_thrown(JSValueConst thrown);

/* globals.c: what a script finds beside the language. */
void add_globals(void);

/* chance.c: Math.random. */
void add_chance(void);
/* The next draw starts from these bytes and the params, wherever the item is cut into a shard. */
void reseed(const void *item, size_t length);
void reseed_number(int64_t item);
void chance_params(const void *params, size_t length);

/* script.c: the author's module. */
typedef struct {
    const char *source, *entry, *file;
    size_t source_length;
} Script;
/* Evaluates the module and gives the function that the entry names. */
JSValue load(const Script *script);
/* The value itself, or what the promise was fulfilled with once every job has run. */
JSValue settled(JSValue value);

/* output.c: the frames of the results. */
void write_result(JSValueConst value);
void flush_output(void);
#endif
