/* Put at the end of quickjs.c by tools/build/quickjs.ts. */

/* A table that grows is written anew, and every atom and shape with it. */
static int freeze_tables(JSRuntime *rt)
{
    return JS_ResizeAtomHash(rt, rt->atom_hash_size * 2) || resize_shape_hash(rt, rt->shape_hash_bits + 1) ? -1 : 0;
}

/* Built-in functions are made when a program first asks for them. What they bring along comes to the end of the same list. */
static int freeze_builtins(JSContext *ctx)
{
    struct list_head *el;
    int i;

    list_for_each(el, &ctx->rt->gc_obj_list) {
        JSObject *p = list_entry(el, JSObject, header.link);
        if (JS_GC_TYPE(p) != JS_GC_OBJ_TYPE_JS_OBJECT)
            continue;
        for (i = 0; i < p->shape->prop_count; i++) {
            JSShapeProperty *prs = &get_shape_prop(p->shape)[i];
            if (prs->atom != JS_ATOM_NULL && (prs->flags & JS_PROP_TMASK) == JS_PROP_AUTOINIT
            &&  JS_AutoInitProperty(ctx, p, prs->atom, &p->prop[i], prs))
                return -1;
        }
    }
    return 0;
}

/* Objects leave the collector's list: it neither looks at them nor changes them, and what they refer to keeps the count that they
   gave it. Each becomes a list of its own, since some are taken out of their list once more (a shape that grows). */
static void freeze_objects(JSRuntime *rt)
{
    struct list_head *el, *el1;

    list_for_each_safe(el, el1, &rt->gc_obj_list) {
        JS_REF_COUNT(list_entry(el, JSGCObjectHeader, link)) |= JS_IMMORTAL;
        init_list_head(el);
    }
    init_list_head(&rt->gc_obj_list);
}

/* Small blocks: strings and atoms among them, which are in no list. In memory that has no count the bit says nothing. Free blocks are
   forgotten, so that new ones lie side by side on pages of their own: the arenas look full, and are in no list. */
static void freeze_arenas(JSRuntime *rt)
{
    struct list_head *el, *el1;
    int i, j;

    for (i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
        list_for_each_safe(el, el1, &rt->arena_state.arena_list[i]) {
            JSArena *ar = list_entry(el, JSArena, link);
            for (j = 0; j < ar->n_blocks; j++) {
                JSMallocBlockHeader *b = arena_get_block(ar, j, arena_block_sizes[i]);
                if (b->ref_count > 0)
                    b->ref_count |= JS_IMMORTAL;
            }
            ar->first_free_block = JS_ARENA_FREE_NIL;
            ar->n_used_blocks = ar->n_blocks;
            init_list_head(&ar->link);
        }
        init_list_head(&rt->arena_state.arena_list[i]);
        init_list_head(&rt->arena_state.free_arena_list[i]);
    }
}

/* Prepares a heap that is to be mapped by many processes: everything that exists is there for good and is not written to unless the
   program does. To be called once, after a collection, while nothing runs; the runtime must not be freed afterwards. -1: no memory. */
int JS_FreezeHeap(JSContext *ctx)
{
    if (freeze_builtins(ctx) || freeze_tables(ctx->rt))
        return -1;
    freeze_objects(ctx->rt);
    freeze_arenas(ctx->rt);
    return 0;
}
