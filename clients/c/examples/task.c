/* A task program: centre-out reaching with targets that this program sets, for a session with the task `external`.
 *
 *     decoderd run outside.toml --serve --speed lockstep --participant task=tick --out runs/outside
 *     ./task tcp://127.0.0.1:PORT          (the control endpoint that it prints)
 *
 * It takes part in lockstep as `task`: every tick waits for it, so the session is as repeatable as one without it. */
#include "decoderd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int TARGETS = 8, HOLD_TICKS = 5, TIMEOUT_TICKS = 300, REST_TICKS = 20;
static const double DISTANCE_M = 0.06, RADIUS_M = 0.02;

typedef struct {
    decoderd_control *control;
    int64_t until; /* ticks granted since the session began */
    double cursor[2];
    bool over, failed;
} session;

static bool has_ended(decoderd_text state)
{
    static const char *const ENDS[] = {"done", "stopped", "failed"};
    bool ended = false;
    for (int i = 0; i < 3; i++)
        ended = ended || (strlen(ENDS[i]) == state.size && memcmp(ENDS[i], state.text, state.size) == 0);
    return ended;
}

/* Grant one more tick, with the inputs that were packed as `inputs` (so many), and wait until it is over. */
static void step(session *s, const msgpack_sbuffer *inputs, size_t count)
{
    decoderd_reply reply = {0};
    decoderd_message message = {0};
    msgpack_packer *request = decoderd_begin(s->control, "grant", 4);
    decoderd_pack_text(request, "participant");
    decoderd_pack_text(request, "task");
    decoderd_pack_text(request, "until");
    msgpack_pack_int64(request, ++s->until);
    decoderd_pack_text(request, "inputs");
    msgpack_pack_array(request, count);
    if (count > 0)
        msgpack_sbuffer_write(request->data, inputs->data, inputs->size);
    decoderd_pack_text(request, "want");
    msgpack_pack_array(request, 2);
    decoderd_pack_text(request, "tick");
    decoderd_pack_text(request, "trial");
    if (decoderd_ask(s->control, &reply) != DECODERD_OK) {
        s->over = true;
        s->failed = strcmp(decoderd_error_code(s->control), "over") != 0;
        if (s->failed)
            fprintf(stderr, "%s\n", decoderd_error(s->control));
        decoderd_clear_reply(&reply);
        return;
    }
    decoderd_any topics = decoderd_get(reply.map, "topics"), refused = decoderd_get(reply.map, "refused");
    for (uint32_t i = 0; refused != NULL && i < refused->via.array.size; i++) {
        decoderd_text why = decoderd_get_text(&refused->via.array.ptr[i], "message");
        fprintf(stderr, "refused: %.*s\n", (int)why.size, why.text);
    }
    for (uint32_t i = 0; topics != NULL && i < topics->via.array.size && i < reply.count; i++) {
        msgpack_object_str name = topics->via.array.ptr[i].via.str;
        decoderd_topic topic = decoderd_topic_of(name.ptr, name.size);
        if (topic == DECODERD_TOPICS || decoderd_recorded(topic, reply.frames[i], &message) != DECODERD_MESSAGE)
            continue;
        if (topic == DECODERD_TICK)
            memcpy(s->cursor, message.as.tick.cursor, sizeof s->cursor);
        else if (topic == DECODERD_TRIAL)
            printf("trial %lld: %s\n", (long long)message.as.trial.trial, message.as.trial.outcome.text);
    }
    s->over = has_ended(decoderd_get_text(reply.map, "state"));
    fflush(stdout);
    decoderd_clear(&message);
    decoderd_clear_reply(&reply);
}

static void pack_event(msgpack_packer *packer, const char *event, size_t more)
{
    msgpack_pack_map(packer, 2 + more);
    decoderd_pack_text(packer, "op");
    decoderd_pack_text(packer, "task");
    decoderd_pack_text(packer, "event");
    decoderd_pack_text(packer, event);
}

/* A trial: rest, reach, hold. */
static void run_trial(session *s, int trial, msgpack_sbuffer *inputs, msgpack_packer *packer)
{
    const int index = trial % TARGETS;
    const double angle = 2 * 3.141592653589793 * index / TARGETS;
    const double target[2] = {DISTANCE_M * cos(angle), DISTANCE_M * sin(angle)};
    int held = 0, waited = 0;
    for (int tick = 0; tick < REST_TICKS && !s->over; tick++)
        step(s, NULL, 0);
    msgpack_sbuffer_clear(inputs);
    pack_event(packer, "start", 0);
    pack_event(packer, "go", 3);
    decoderd_pack_text(packer, "target");
    msgpack_pack_array(packer, 2);
    msgpack_pack_double(packer, target[0]);
    msgpack_pack_double(packer, target[1]);
    decoderd_pack_text(packer, "radius_m");
    msgpack_pack_double(packer, RADIUS_M);
    decoderd_pack_text(packer, "index");
    msgpack_pack_int(packer, index);
    if (!s->over)
        step(s, inputs, 2);
    while (held < HOLD_TICKS && waited < TIMEOUT_TICKS && !s->over) {
        held = hypot(s->cursor[0] - target[0], s->cursor[1] - target[1]) < RADIUS_M ? held + 1 : 0;
        waited++;
        step(s, NULL, 0);
    }
    msgpack_sbuffer_clear(inputs);
    pack_event(packer, "end", 1);
    decoderd_pack_text(packer, "outcome");
    decoderd_pack_text(packer, held >= HOLD_TICKS ? "success" : "reach_timeout");
    if (!s->over)
        step(s, inputs, 1);
}

int main(int argc, char **argv)
{
    session s = {0};
    decoderd_reply reply = {0};
    msgpack_sbuffer inputs;
    msgpack_packer packer;
    if (argc != 2 || (s.control = decoderd_open(argv[1], 5000, NULL)) == NULL) {
        fprintf(stderr, "usage: %s CONTROL, such as tcp://127.0.0.1:5571\n", argv[0]);
        return 2;
    }
    decoderd_begin(s.control, "describe", 0);
    if (decoderd_ask(s.control, &reply) != DECODERD_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], decoderd_error(s.control));
        decoderd_close(s.control);
        return 1;
    }
    s.until = decoderd_get_integer(reply.map, "tick", 0);
    decoderd_clear_reply(&reply);
    msgpack_sbuffer_init(&inputs);
    msgpack_packer_init(&packer, &inputs, msgpack_sbuffer_write);
    step(&s, NULL, 0);
    for (int trial = 0; !s.over; trial++)
        run_trial(&s, trial, &inputs, &packer);
    msgpack_sbuffer_destroy(&inputs);
    decoderd_close(s.control);
    return s.failed ? 1 : 0;
}
