/* Put into quickjs.c behind the definition of JS_REF_COUNT by tools/build/quickjs.ts, which also replaces each change of a count
   by a call of one of these. What has the bit lives as long as the process, and its count is never written. */
#define JS_IMMORTAL 0x40000000

static inline int js_rc_inc(const void *p)
{
    JSMallocBlockHeader *b = js_rc(p);
    return b->ref_count >= JS_IMMORTAL ? JS_IMMORTAL : ++b->ref_count;
}

static inline int js_rc_dec(const void *p)
{
    JSMallocBlockHeader *b = js_rc(p);
    return b->ref_count >= JS_IMMORTAL ? JS_IMMORTAL : --b->ref_count;
}
