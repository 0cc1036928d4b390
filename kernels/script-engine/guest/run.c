/* The entry `run`: a shard of items through one function of one script.
   params: {"source", "entry"?, "params"?, "file"?, "reduce"?}, see the description at the end. */
#include "abi.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* How deep the guest's own stack may go before JavaScript hears of it, in bytes; the linker reserves
   twice as much, because what one function puts there at once is not bounded by it. See quickjs.sed. */
#define STACK_BYTES_MAX (STACK_KIB << 10)
/* Cycles are looked for when this much has been allocated since: most shards never get there. */
#define GC_THRESHOLD_BYTES (8 << 20)
/* Whole numbers beyond lose their last digit in JavaScript. */
#define EXACT_MAX ((int64_t)1 << 53)

enum { KIND_RANGE = 0, KIND_JSON = 1, KIND_TEXT = 2 };

JSContext *cx;

/* The shard's input and how far it is read. A byte is kept free behind it for a text's end. */
static struct {
    char *at, *end;
} input;
static JSValue task, task_params;
static bool is_reduce;

static void *refused(void *memory)
{
    allocation_refused |= !memory;
    return memory;
}
static void *script_calloc(void *opaque, size_t count, size_t size) { return refused(calloc(count, size)); }
static void *script_malloc(void *opaque, size_t size) { return refused(malloc(size)); }
static void script_free(void *opaque, void *memory) { free(memory); }
static void *script_realloc(void *opaque, void *memory, size_t size)
{
    /* Freeing is told as a size of 0, whose answer is NULL. */
    return size ? refused(realloc(memory, size)) : (free(memory), NULL);
}
static size_t script_size(const void *memory) { return malloc_usable_size((void *)memory); }

static void start_engine(void)
{
    static const JSMallocFunctions functions = {script_calloc, script_malloc, script_free, script_realloc,
                                                script_size};
    JSRuntime *runtime = JS_NewRuntime2(&functions, NULL);
    cx = runtime ? JS_NewContext(runtime) : NULL;
    if (!cx)
        __builtin_trap();
    JS_SetMaxStackSize(runtime, STACK_BYTES_MAX);
    JS_SetGCThreshold(runtime, GC_THRESHOLD_BYTES);
    add_globals();
    add_chance();
}

static void read_input(void)
{
    uint32_t length = input_len();
    input.at = malloc((size_t)length + 1);
    if (!input.at)
        __builtin_trap();
    input_read(input.at, 0, length);
    input.end = input.at + length;
}

static const void *take(size_t length)
{
    if ((size_t)(input.end - input.at) < length)
        fail("the shard's input ends early");
    const void *here = input.at;
    input.at += length;
    return here;
}

static uint32_t take_u32(void)
{
    uint32_t value;
    memcpy(&value, take(sizeof value), sizeof value);
    return value;
}

static int64_t take_i64(void)
{
    int64_t value;
    memcpy(&value, take(sizeof value), sizeof value);
    return value;
}

/* JSON text is parsed where it lies; the parser wants a zero behind it, and there begins the next frame. */
static JSValue parse(char *text, size_t length, const char *name)
{
    char kept = text[length];
    text[length] = 0;
    JSValue value = JS_ParseJSON(cx, text, length, name);
    text[length] = kept;
    if (JS_IsException(value))
        fail_exception();
    return value;
}

static const char *text_of(JSValueConst params, const char *name, const char *otherwise, size_t *length)
{
    JSValue value = JS_GetPropertyStr(cx, params, name);
    if (!JS_IsString(value)) {
        if (!otherwise)
            fail("the script engine was started without a script: its params must hold \"source\"");
        *length = strlen(otherwise);
        return otherwise;
    }
    const char *text = JS_ToCStringLen(cx, length, value);
    if (!text)
        fail_exception();
    JS_FreeValue(cx, value);
    return text;
}

static void read_params(Script *script)
{
    uint32_t length = take_u32();
    const char *text = take(length);
    JSValue params = length ? parse((char *)text, length, "params") : JS_NULL;
    if (!JS_IsObject(params))
        fail("the script engine was started without a script: its params must hold \"source\"");
    size_t ignored;
    script->source = text_of(params, "source", NULL, &script->source_length);
    script->entry = text_of(params, "entry", "default", &ignored);
    script->file = text_of(params, "file", "script.js", &ignored);
    task_params = JS_GetPropertyStr(cx, params, "params");
    /* A job without params: the function's own default is taken then. */
    if (JS_IsNull(task_params))
        task_params = JS_UNDEFINED;
    JSValue reduce = JS_GetPropertyStr(cx, params, "reduce");
    is_reduce = JS_ToBool(cx, reduce) == 1;
    JS_FreeValue(cx, params);
    /* The author's params only: a comment changed in the source must not change what is drawn. */
    JSValue json = JS_JSONStringify(cx, task_params, JS_UNDEFINED, JS_UNDEFINED);
    size_t json_length = 0;
    const char *json_text = JS_IsString(json) ? JS_ToCStringLen(cx, &json_length, json) : "";
    chance_params(json_text, json_length);
}

static JSValue call(int count, JSValueConst *arguments)
{
    JSValue result = JS_Call(cx, task, JS_UNDEFINED, count, arguments);
    if (JS_IsException(result))
        fail_exception();
    return settled(result);
}

/* Left to right, always: floating-point sums repeat only in the same order. */
static JSValue fold(JSValueConst list)
{
    int64_t length;
    if (!JS_IsArray(list))
        fail("a reducer's item must be a list of outputs");
    if (JS_GetLength(cx, list, &length))
        fail_exception();
    if (length == 0)
        fail("a reducer's item must hold at least one output");
    JSValue sum = JS_GetPropertyInt64(cx, list, 0);
    for (int64_t i = 1; i < length; i++) {
        JSValue next = JS_GetPropertyInt64(cx, list, i);
        JSValue before = sum;
        sum = call(3, (JSValueConst[]){before, next, task_params});
        JS_FreeValue(cx, before);
        JS_FreeValue(cx, next);
    }
    return sum;
}

static void compute(JSValue item)
{
    JSValue result = is_reduce ? fold(item) : call(2, (JSValueConst[]){item, task_params});
    write_result(result);
    JS_FreeValue(cx, result);
    JS_FreeValue(cx, item);
}

static void compute_range(uint32_t count)
{
    int64_t value = take_i64(), step = take_i64();
    for (uint32_t i = 0; i < count; i++) {
        current_item = i;
        if (value > EXACT_MAX || value < -EXACT_MAX)
            fail("a number beyond 2^53 is not exact in JavaScript: give such items as text");
        reseed_number(value);
        compute(JS_NewInt64(cx, value));
        /* Behind the last value the sum may leave the range; it is not used then. */
        value = (int64_t)((uint64_t)value + (uint64_t)step);
    }
}

static void compute_list(uint32_t count, bool is_json)
{
    for (uint32_t i = 0; i < count; i++) {
        current_item = i;
        uint32_t length = take_u32();
        char *text = (char *)take(length);
        reseed(text, length);
        compute(is_json ? parse(text, length, "item") : JS_NewStringLen(cx, text, length));
    }
}

void __wasm_call_ctors(void);

__attribute__((export_name("run"))) void run(void)
{
    __wasm_call_ctors();
    read_input();
    start_engine();
    Script script;
    read_params(&script);
    task = load(&script);
    uint8_t kind = *(const uint8_t *)take(1);
    uint32_t count = take_u32();
    if (kind == KIND_RANGE)
        compute_range(count);
    else
        compute_list(count, kind == KIND_JSON);
    flush_output();
}

__asm__(".section .custom_section.elytra.description,\"\",@\n"
        ".ascii \"{\\\"program\\\":{\\\"name\\\":\\\"script-engine\\\",\\\"version\\\":\\\"" ENGINE_VERSION "\\\"},"
        "\\\"name\\\":\\\"run\\\",\\\"title\\\":\\\"Run a script\\\","
        "\\\"about\\\":\\\"Calls a function of a JavaScript module for every item.\\\",\\\"params\\\":["
        "{\\\"name\\\":\\\"source\\\",\\\"type\\\":\\\"text\\\",\\\"required\\\":true,\\\"about\\\":\\\"The module's text.\\\"},"
        "{\\\"name\\\":\\\"entry\\\",\\\"type\\\":\\\"text\\\",\\\"default\\\":\\\"default\\\",\\\"about\\\":\\\"The export to call.\\\"},"
        "{\\\"name\\\":\\\"params\\\",\\\"type\\\":\\\"json\\\",\\\"about\\\":\\\"What the function gets beside the item.\\\"},"
        "{\\\"name\\\":\\\"file\\\",\\\"type\\\":\\\"text\\\",\\\"default\\\":\\\"script.js\\\",\\\"about\\\":\\\"The module's name in errors.\\\"},"
        "{\\\"name\\\":\\\"reduce\\\",\\\"type\\\":\\\"boolean\\\",\\\"default\\\":false,\\\"about\\\":\\\"Fold an item, which is a list, with the function.\\\"}"
        "],\\\"output\\\":\\\"json\\\"}\\n\"\n");
