/* A physical optimizer rule that changes no plan and counts them.

   The structs are those of datafusion-ffi 55, as far as the engine asks for them. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Plan {
    void *before[10];
    struct Plan (*clone)(const struct Plan *);
    void *after[4];
} Plan;

typedef struct {
    uint8_t failed;
    Plan plan;
} Optimized;

/* No capacity: whoever has it must not free it. */
typedef struct {
    const char *start, *end, *capacity;
} Text;

typedef struct Rule {
    Optimized (*optimize)(const struct Rule *, const Plan *);
    Text (*name)(const struct Rule *);
    bool (*keeps_schema)(const struct Rule *);
    struct Rule (*clone)(const struct Rule *);
    void (*release)(struct Rule *);
    uint64_t (*version)(void);
    Optimized (*optimize_in_context)(const struct Rule *, const Plan *);
    void *data;
    uintptr_t (*library)(void);
} Rule;

static int64_t counted;

static Optimized optimize(const Rule *rule, const Plan *plan) {
    counted++;
    Optimized same = {.failed = 0, .plan = plan->clone(plan)};
    return same;
}

static Text name(const Rule *rule) {
    static const char said[] = "count_plans";
    Text text = {said, said + sizeof said - 1, said};
    return text;
}

static bool keeps_schema(const Rule *rule) { return true; }

static Rule clone(const Rule *rule) { return *rule; }

static void release(Rule *rule) {}

static uint64_t version(void) { return 55; }

static uintptr_t library(void) { return (uintptr_t)&counted; }

Rule rule = {optimize, name,     keeps_schema, clone, release,
             version,  optimize, 0,            library};

int64_t plans(void) { return counted; }
