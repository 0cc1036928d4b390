# QuickJS-NG measures its recursion by the guest's own stack, and for WASI not at all. What runs out here is
# the engine's stack outside, which the guest cannot see; so the check is switched on, and recursion that
# takes much of the other stack and little of this one is made to weigh as much as it costs.

# The check itself.
/^static void update_stack_limit/,/^}/s/defined(__wasi__)/0/

# The parser recurses through large functions and checks only in its tokenizer: it gets an eighth.
/^static __exception int next_token(/,/^}/s/js_check_stack_overflow(s->ctx->rt, 1000)/js_check_stack_overflow(s->ctx->rt, PARSER_HEADROOM_BYTES)/

# A level of JSON or of a nested list.
/^static JSValue json_parse_value(/,/^}/s/js_check_stack_overflow(ctx->rt, 0)/(WEIGH(192), js_check_stack_overflow(ctx->rt, 0))/
/^static int js_json_to_str(/,/^}/s/js_check_stack_overflow(ctx->rt, 0)/(WEIGH(192), js_check_stack_overflow(ctx->rt, 0))/
/^static int64_t JS_FlattenIntoArray(/,/^}/s/js_check_stack_overflow(ctx->rt, 0)/(WEIGH(192), js_check_stack_overflow(ctx->rt, 0))/

# A proxy behind a proxy: the weight lies in the trap that asks for its method.
/^static JSProxyData \*get_proxy_method(/,/^}/{
/^}/a\
#define get_proxy_method(...) (WEIGH(512), get_proxy_method(__VA_ARGS__))
}
