/* The author's module: evaluated once in a shard, and its export looked up by name. */
#include "abi.h"
#include <string.h>

/* Names told when the wanted one is not there. */
#define EXPORTS_TOLD_MAX 20

static JSModuleDef *refuse_import(JSContext *ctx, const char *name, void *opaque)
{
    JS_ThrowReferenceError(ctx, "import of '%s': a task runs alone; bundle what it needs into one module first",
                           name);
    return NULL;
}

static void run_jobs(void)
{
    JSContext *ctx;
    int ran;
    while ((ran = JS_ExecutePendingJob(JS_GetRuntime(cx), &ctx)) > 0)
        ;
    if (ran < 0)
        fail_exception();
}

static _Noreturn void fail_pending(void)
{
    Buffer text = {0};
    if (current_item == NO_ITEM) {
        append_text(&text, "the module awaits a promise at its top level that never settles");
    } else {
        append_text(&text, "the promise of item ");
        append_number(&text, current_item);
        append_text(&text, " never settles");
    }
    append_text(&text, ": nothing is left that could settle it");
    fail_text(&text);
}

JSValue settled(JSValue value)
{
    JSPromiseStateEnum state = JS_PromiseState(cx, value);
    /* What a task starts without waiting for it still belongs to its own item. */
    if (JS_IsJobPending(JS_GetRuntime(cx))) {
        run_jobs();
        state = JS_PromiseState(cx, value);
    }
    if (state == JS_PROMISE_NOT_A_PROMISE)
        return value;
    if (state == JS_PROMISE_PENDING)
        fail_pending();
    JSValue result = JS_PromiseResult(cx, value);
    if (state == JS_PROMISE_REJECTED)
        fail_thrown(result);
    JS_FreeValue(cx, value);
    return result;
}

static void tell_exports(Buffer *text, JSValueConst exports)
{
    JSPropertyEnum *names;
    uint32_t count, told = 0;
    if (JS_GetOwnPropertyNames(cx, &names, &count, exports, JS_GPN_STRING_MASK))
        fail_exception();
    for (uint32_t i = 0; i < count && told < EXPORTS_TOLD_MAX; i++) {
        JSValue value = JS_GetProperty(cx, exports, names[i].atom);
        if (!JS_IsFunction(cx, value))
            continue;
        append_text(text, told++ ? ", '" : "; it exports ");
        append_text(text, told == 1 ? "'" : "");
        const char *name = JS_AtomToCString(cx, names[i].atom);
        append_text(text, name ? name : "?");
        append_text(text, "'");
    }
    if (!told)
        append_text(text, "; it exports no function: write `export function task(item, params) { … }`");
}

static JSValue entry_of(const Script *script, JSValueConst exports)
{
    JSValue entry = JS_GetPropertyStr(cx, exports, script->entry);
    if (JS_IsException(entry))
        fail_exception();
    if (JS_IsFunction(cx, entry))
        return entry;
    Buffer text = {0};
    append_text(&text, script->file);
    append_text(&text, JS_IsUndefined(entry) ? " has no export '" : " exports no function '");
    append_text(&text, script->entry);
    append_text(&text, "'");
    tell_exports(&text, exports);
    fail_text(&text);
}

JSValue load(const Script *script)
{
    JS_SetModuleLoaderFunc(JS_GetRuntime(cx), NULL, refuse_import, NULL);
    int flags = JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY;
    JSValue module = JS_Eval(cx, script->source, script->source_length, script->file, flags);
    if (JS_IsException(module))
        fail_exception();
    JSModuleDef *definition = JS_VALUE_GET_PTR(module);
    JSValue evaluated = JS_EvalFunction(cx, module);
    if (JS_IsException(evaluated))
        fail_exception();
    JS_FreeValue(cx, settled(evaluated));
    JSValue exports = JS_GetModuleNamespace(cx, definition);
    if (JS_IsException(exports))
        fail_exception();
    JSValue entry = entry_of(script, exports);
    JS_FreeValue(cx, exports);
    return entry;
}
