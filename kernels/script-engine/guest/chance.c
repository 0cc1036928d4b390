/* Math.random: xoshiro256++ (Blackman and Vigna), seeded from the item's bytes and the params. So an
   item draws the same numbers wherever it runs, and whichever items share its shard. */
#include "abi.h"
#include <string.h>

static uint64_t state[4];
static uint64_t params_hash;
/* What the next draw starts from; hashed only if a draw comes. */
static const unsigned char *seed_bytes;
static size_t seed_length;
static bool is_seeded;
static Buffer number_text;

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

/* FNV-1a: the seed only has to differ where the bytes do; splitmix64 then spreads it. */
static uint64_t hash(uint64_t from, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        from = (from ^ bytes[i]) * 0x100000001b3;
    return from;
}

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void seed(void)
{
    uint64_t from = hash(params_hash, seed_bytes, seed_length);
    for (int i = 0; i < 4; i++)
        state[i] = splitmix(&from);
    is_seeded = true;
}

static JSValue draw(JSContext *ctx, JSValueConst self, int count, JSValueConst *arguments)
{
    if (!is_seeded)
        seed();
    uint64_t result = rotate(state[0] + state[3], 23) + state[0], t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate(state[3], 45);
    /* 53 bits, the most a double in [0, 1) can hold evenly. */
    return JS_NewFloat64(ctx, (double)(result >> 11) * 0x1p-53);
}

void add_chance(void)
{
    JSValue global = JS_GetGlobalObject(cx), math = JS_GetPropertyStr(cx, global, "Math");
    JSValue function = JS_NewCFunction(cx, draw, "random", 0);
    JS_DefinePropertyValueStr(cx, math, "random", function, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(cx, math);
    JS_FreeValue(cx, global);
}

void chance_params(const void *params, size_t length)
{
    params_hash = hash(0xcbf29ce484222325, params, length);
    reseed("", 0);
}

void reseed(const void *item, size_t length)
{
    seed_bytes = item;
    seed_length = length;
    is_seeded = false;
}

/* A number of a range draws what the same number in a list of items draws. */
void reseed_number(int64_t item)
{
    number_text.length = 0;
    append_number(&number_text, item);
    reseed(number_text.data, number_text.length);
}
