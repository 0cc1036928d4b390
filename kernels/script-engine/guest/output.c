/* Results become frames. Most are numbers, texts and truth values, which need no JSON.stringify; frames are
   gathered and handed to the host in large pieces, because a call there costs as much as a small item. */
#include "abi.h"
#include <math.h>
#include <string.h>

/* Handed over when this much has come together. */
#define CHUNK_BYTES (256 << 10)

static Buffer output;

void flush_output(void)
{
    if (output.length)
        output_write(output.data, output.length);
    output.length = 0;
}

static size_t begin_frame(void)
{
    static const uint32_t unknown = 0;
    append(&output, &unknown, sizeof unknown);
    return output.length;
}

static void end_frame(size_t start)
{
    uint32_t length = output.length - start;
    memcpy(output.data + start - sizeof length, &length, sizeof length);
    if (output.length >= CHUNK_BYTES)
        flush_output();
}

static void write_text(const char *text)
{
    size_t start = begin_frame();
    append_text(&output, text);
    end_frame(start);
}

static void write_integer(int64_t number)
{
    size_t start = begin_frame();
    append_number(&output, number);
    end_frame(start);
}

static void write_json(JSValueConst value)
{
    JSValue json = JS_JSONStringify(cx, value, JS_UNDEFINED, JS_UNDEFINED);
    if (JS_IsException(json))
        fail_exception();
    size_t length, start = begin_frame();
    const char *text = JS_ToCStringLen(cx, &length, JS_IsUndefined(json) ? JS_NULL : json);
    if (!text)
        fail_exception();
    append(&output, text, length);
    end_frame(start);
    JS_FreeCString(cx, text);
    JS_FreeValue(cx, json);
}

static void write_float(JSValueConst value)
{
    double number = JS_VALUE_GET_FLOAT64(value);
    /* Beyond 2^53 JavaScript's own words differ from the integer's. */
    if (fabs(number) < 0x1p53 && number == (double)(int64_t)number)
        write_integer((int64_t)number);
    else
        write_json(value);
}

static void refuse(const char *what)
{
    Buffer text = {0};
    append_text(&text, "the task returned ");
    append_text(&text, what);
    fail_text(&text);
}

void write_result(JSValueConst value)
{
    switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_INT:
        return write_integer(JS_VALUE_GET_INT(value));
    case JS_TAG_BOOL:
        return write_text(JS_VALUE_GET_BOOL(value) ? "true" : "false");
    case JS_TAG_NULL:
    case JS_TAG_UNDEFINED:
        return write_text("null");
    case JS_TAG_FLOAT64:
        return write_float(value);
    case JS_TAG_SHORT_BIG_INT:
    case JS_TAG_BIG_INT:
        return refuse("a BigInt, which JSON cannot hold: return it as text, with String(value)");
    case JS_TAG_SYMBOL:
        return refuse("a symbol, which JSON cannot hold");
    default:
        if (JS_IsFunction(cx, value))
            return refuse("a function, which JSON cannot hold: return what it computes");
        return write_json(value);
    }
}
