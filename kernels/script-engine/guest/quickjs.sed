# QuickJS-NG measures its recursion by the guest's own stack, and for WASI not at all. What runs out here is
# the stack outside, which the guest cannot see: admission counts its frames, and stops the whole program.
# So the check is switched on, and recursion that takes much of the other stack and little of this one is made
# to weigh here as much as it costs there. tests/engine/recursion.rs holds the ways to recurse.

# The check itself.
/^static void update_stack_limit/,/^}/s/defined(__wasi__)/0/

# The parser recurses through large functions and checks only in its tokenizer: it gets a part of the stack.
/^static __exception int next_token(/,/^}/s/js_check_stack_overflow(s->ctx->rt, 1000)/js_check_stack_overflow(s->ctx->rt, PARSER_HEADROOM_BYTES)/

# Calls out of JavaScript into the engine's own functions, and back.
/^static JSValue js_call_c_function(/,/^}/s/if (js_check_stack_overflow/WEIGH(384);\n    &/
/^static JSValue js_call_bound_function(/,/^}/s/if (js_check_stack_overflow/WEIGH(512);\n    &/
/^static JSValue async_func_resume(/,/^}/s/if (js_check_stack_overflow/WEIGH(512);\n    &/

# toString, valueOf and Symbol.toPrimitive, where an operator asks for them.
/^static JSValue JS_ToPrimitiveFree(/,/^}/s/^{$/{\n    WEIGH(512);/

# A level of JSON or of a nested list.
/^static JSValue json_parse_value(/,/^}/s/if (js_check_stack_overflow/WEIGH(256);\n    &/
/^static int js_json_to_str(/,/^}/s/if (js_check_stack_overflow/WEIGH(256);\n    &/
/^static int64_t JS_FlattenIntoArray(/,/^}/s/if (js_check_stack_overflow/WEIGH(256);\n    &/

# A group of a regular expression.
s/if (lre_check_stack_overflow(s->opaque, 0))/WEIGH(256);\n    &/

# A proxy behind a proxy: the weight lies in the trap that asks for its method.
/^static JSProxyData \*get_proxy_method(/,/^}/{
/^}/a\
#define get_proxy_method(...) (WEIGH(768), get_proxy_method(__VA_ARGS__))
}
