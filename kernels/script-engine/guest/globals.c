/* What a script finds beside the language: console, whose lines go to the shard's log, and typed arrays
   that become JSON lists. */
#include "abi.h"

static bool is_plain(JSValueConst value)
{
    return !JS_IsObject(value) || JS_IsFunction(cx, value);
}

static void append_logged(Buffer *line, JSValueConst value)
{
    JSValue json = JS_UNDEFINED;
    if (JS_IsError(value)) {
        append_value(line, value);
        JSValue stack = JS_GetPropertyStr(cx, value, "stack");
        append_text(line, "\n");
        append_value(line, stack);
        JS_FreeValue(cx, stack);
        return;
    }
    if (!is_plain(value)) {
        json = JS_JSONStringify(cx, value, JS_UNDEFINED, JS_UNDEFINED);
        if (JS_IsException(json))
            JS_FreeValue(cx, JS_GetException(cx));
    }
    append_value(line, JS_IsString(json) ? json : value);
    JS_FreeValue(cx, json);
}

/* The magic is the level: 0 says nothing more, 1 warns, 2 is an error. */
static JSValue log_line(JSContext *ctx, JSValueConst self, int count, JSValueConst *arguments, int level)
{
    static Buffer line;
    line.length = 0;
    append_text(&line, level == 2 ? "error: " : level == 1 ? "warning: " : "");
    for (int i = 0; i < count; i++) {
        if (i)
            append_text(&line, " ");
        append_logged(&line, arguments[i]);
    }
    append_text(&line, "\n");
    host_log(line.data, line.length);
    return JS_UNDEFINED;
}

static void add_console(JSValueConst global)
{
    static const struct {
        const char *name;
        int level;
    } functions[] = {{"log", 0}, {"info", 0}, {"debug", 0}, {"trace", 0}, {"warn", 1}, {"error", 2}};
    JSValue console = JS_NewObject(cx);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        JSValue function = JS_NewCFunctionMagic(cx, log_line, functions[i].name, 1, JS_CFUNC_generic_magic,
                                                functions[i].level);
        JS_SetPropertyStr(cx, console, functions[i].name, function);
    }
    JS_SetPropertyStr(cx, global, "console", console);
}

/* JSON.stringify would write a typed array as an object with an index for every element. */
static JSValue typed_array_to_json(JSContext *ctx, JSValueConst self, int count, JSValueConst *arguments)
{
    int64_t length;
    JSValue list = JS_NewArray(ctx);
    if (JS_IsException(list) || JS_GetLength(ctx, self, &length))
        return JS_EXCEPTION;
    for (int64_t i = 0; i < length; i++) {
        JSValue element = JS_GetPropertyInt64(ctx, self, i);
        if (JS_IsException(element) || JS_SetPropertyInt64(ctx, list, i, element) < 0)
            return JS_EXCEPTION;
    }
    return list;
}

static void add_typed_array_json(JSValueConst global)
{
    JSValue bytes = JS_GetPropertyStr(cx, global, "Uint8Array");
    JSValue any = JS_GetPrototype(cx, bytes);
    JSValue prototype = JS_GetPropertyStr(cx, any, "prototype");
    JSValue function = JS_NewCFunction(cx, typed_array_to_json, "toJSON", 0);
    JS_DefinePropertyValueStr(cx, prototype, "toJSON", function, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(cx, prototype);
    JS_FreeValue(cx, any);
    JS_FreeValue(cx, bytes);
}

void add_globals(void)
{
    JSValue global = JS_GetGlobalObject(cx);
    add_console(global);
    add_typed_array_json(global);
    JS_FreeValue(cx, global);
}
