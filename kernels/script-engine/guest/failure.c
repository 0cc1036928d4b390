/* How a run ends that has no output: one last log line with the cause, then a trap. */
#include "abi.h"
#include <stdlib.h>
#include <string.h>

/* kernel_abi::FAILURE_PREFIX. */
#define FAILURE_PREFIX "elytra-item-failed "
/* What the coordinator keeps of a failure is 4 KiB; a longer message says no more. */
#define CAUSE_BYTES_MAX 3500

int64_t current_item = NO_ITEM;
bool allocation_refused = false;

/* The tab has no other sign that memory ran out; natively the refused growth itself is seen. */
static _Noreturn void out_of_memory(void)
{
    static const char words[] = "memory allocation of the script failed";
    host_log(words, sizeof words - 1);
    __builtin_trap();
}

void append(Buffer *buffer, const void *bytes, size_t length)
{
    if (buffer->length + length > buffer->room) {
        buffer->room = (buffer->length + length) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data)
            out_of_memory();
    }
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
}

void append_text(Buffer *buffer, const char *text)
{
    append(buffer, text, strlen(text));
}

void append_number(Buffer *buffer, int64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    /* The least number has no positive twin, so the digits are taken from the unsigned one. */
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = '0' + rest % 10;
    while (rest /= 10);
    if (number < 0)
        *--at = '-';
    append(buffer, at, digits + sizeof digits - at);
}

void append_value(Buffer *buffer, JSValueConst value)
{
    size_t length;
    const char *text = JS_ToCStringLen(cx, &length, value);
    if (text) {
        append(buffer, text, length);
        JS_FreeCString(cx, text);
    } else {
        JS_FreeValue(cx, JS_GetException(cx));
        append_text(buffer, "(a value that has no text)");
    }
}

void fail_text(Buffer *text)
{
    Buffer line = {0};
    append_text(&line, FAILURE_PREFIX);
    if (current_item != NO_ITEM) {
        append_number(&line, current_item);
        append_text(&line, ": ");
    }
    size_t length = text->length < CAUSE_BYTES_MAX ? text->length : CAUSE_BYTES_MAX;
    append(&line, text->data, length);
    host_log(line.data, line.length);
    __builtin_trap();
}

void fail(const char *text)
{
    Buffer cause = {0};
    append_text(&cause, text);
    fail_text(&cause);
}

void fail_exception(void)
{
    fail_thrown(JS_GetException(cx));
}

/* Names that other hosts have, and that authors look for first. */
static const char *const ELSEWHERE[] = {
    "setTimeout", "setInterval", "setImmediate", "fetch", "XMLHttpRequest", "process", "require",
    "module", "Buffer", "window", "document", "self", "navigator", "crypto", "WebAssembly", "URL",
    "TextEncoder", "TextDecoder", "structuredClone", "Intl", "Deno", "Bun",
};

static const char *hint(const char *message)
{
    for (size_t i = 0; i < sizeof ELSEWHERE / sizeof *ELSEWHERE; i++) {
        size_t length = strlen(ELSEWHERE[i]);
        if (!strncmp(message, ELSEWHERE[i], length) && !strcmp(message + length, " is not defined"))
            return "\nA task has the language itself, console and queueMicrotask: no timer, network, file or "
                   "host object, so that every worker gives the same answer";
    }
    return NULL;
}

static void append_error(Buffer *text, JSValueConst error)
{
    append_value(text, error);
    JSValue message = JS_GetPropertyStr(cx, error, "message");
    const char *words = JS_ToCString(cx, message);
    const char *more = words ? hint(words) : NULL;
    if (more)
        append_text(text, more);
    JSValue stack = JS_GetPropertyStr(cx, error, "stack");
    if (JS_IsString(stack)) {
        append_text(text, "\n");
        append_value(text, stack);
    }
}

static void append_thrown(Buffer *text, JSValueConst thrown)
{
    append_text(text, "threw ");
    JSValue json = JS_JSONStringify(cx, thrown, JS_UNDEFINED, JS_UNDEFINED);
    append_value(text, JS_IsString(json) ? json : thrown);
    append_text(text, " (throw an Error to see where)");
}

static bool says_out_of_memory(JSValueConst thrown)
{
    if (!allocation_refused || !JS_IsError(thrown))
        return false;
    JSValue message = JS_GetPropertyStr(cx, thrown, "message");
    const char *words = JS_ToCString(cx, message);
    return !words || !strcmp(words, "out of memory");
}

void fail_thrown(JSValueConst thrown)
{
    /* Making the error took memory too: without any left the thrown value is null. */
    if (says_out_of_memory(thrown) || (allocation_refused && JS_IsNull(thrown)))
        out_of_memory();
    Buffer text = {0};
    if (JS_IsError(thrown))
        append_error(&text, thrown);
    else
        append_thrown(&text, thrown);
    while (text.length && text.data[text.length - 1] == '\n')
        text.length--;
    fail_text(&text);
}
