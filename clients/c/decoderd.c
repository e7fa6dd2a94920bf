/* decoderd.c: see decoderd.h. */
#define _POSIX_C_SOURCE 200809L
#include "decoderd.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum {
    DEPTH = 32, /* of maps and lists in one another: more than the protocol has */
    ATTEMPTS = 3,
    SILENCE_MS = 1000,   /* after so long a silence control is asked whether something did not arrive */
    AGAIN_MS = 100,      /* what was published is on the disk within half a second */
    PATIENCE_MS = 30000, /* on a busy machine, that is */
    MANY = 1000,         /* messages that may be asked for at once */
    HIGH_WATER_MARK = 100000,
    LARGEST = 64 << 20 /* bytes of a frame; a connection that announces more is closed */
};
static const char PREFIX[] = "decoderd.2.";

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* --- maps from bytes --------------------------------------------------------------------------------------------- */

static bool is_utf8(const uint8_t *at, uint64_t size)
{
    for (const uint8_t *end = at + size; at < end;) {
        uint32_t code = *at++;
        int more = code < 0x80 ? 0 : code < 0xc2 ? -1 : code < 0xe0 ? 1 : code < 0xf0 ? 2 : code < 0xf5 ? 3 : -1;
        if (more < 0 || more > end - at)
            return false;
        code &= more ? 0x3fu >> more : 0x7fu;
        for (int left = more; left > 0; left--) {
            if ((*at & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*at++ & 0x3f);
        }
        if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || code > 0x10ffff || code >> 11 == 0x1b)
            return false; /* longer than needed, too large, or half of a pair of UTF-16 */
    }
    return true;
}

static bool starts_text(uint8_t first) { return (first & 0xe0) == 0xa0 || (first >= 0xd9 && first <= 0xdb); }

/* How many bytes the value has that begins at `at`, of `size` bytes that are there. 0 if it is cut off, is nested too
 * deep, or has a key or a text that is none.
 *
 * It is looked at before msgpack-c is, which takes memory for as many items as a list announces. Here a list of more
 * items than there are bytes is cut off. */
static size_t extent(const uint8_t *at, uint64_t size, int depth)
{
    /* Of the values from 0xc0 on: bytes that follow the first, bytes that say how many more, and what those count. */
    static const struct { uint8_t fixed, length; char counts; } HEADS[] = {
        {0, 0, 'b'}, {0, 0, '-'}, {0, 0, 'b'}, {0, 0, 'b'}, {0, 1, 'b'}, {0, 2, 'b'}, {0, 4, 'b'}, {1, 1, 'b'},
        {1, 2, 'b'}, {1, 4, 'b'}, {4, 0, 'b'}, {8, 0, 'b'}, {1, 0, 'b'}, {2, 0, 'b'}, {4, 0, 'b'}, {8, 0, 'b'},
        {1, 0, 'b'}, {2, 0, 'b'}, {4, 0, 'b'}, {8, 0, 'b'}, {2, 0, 'b'}, {3, 0, 'b'}, {5, 0, 'b'}, {9, 0, 'b'},
        {17, 0, 'b'}, {0, 1, 't'}, {0, 2, 't'}, {0, 4, 't'}, {0, 2, 'l'}, {0, 4, 'l'}, {0, 2, 'm'}, {0, 4, 'm'}};
    if (size == 0)
        return 0;
    uint8_t first = at[0];
    uint64_t length = 0, used = 1;
    char counts = 'b';
    if (first >= 0xc0 && first < 0xe0) {
        counts = HEADS[first - 0xc0].counts;
        if (counts == '-' || HEADS[first - 0xc0].length >= size)
            return 0;
        for (int left = HEADS[first - 0xc0].length; left > 0; left--)
            length = length << 8 | at[used++];
        length += HEADS[first - 0xc0].fixed;
    } else if (first >= 0xa0 && first < 0xc0) {
        counts = 't', length = first & 0x1f;
    } else if (first >= 0x80 && first < 0xa0) {
        counts = first < 0x90 ? 'm' : 'l', length = first & 0x0f;
    }
    if (counts == 'b' || counts == 't') {
        bool whole = length <= size - used && (counts == 'b' || is_utf8(at + used, length));
        return whole ? used + length : 0;
    }
    if (depth == 0 || length > size - used)
        return 0;
    for (uint64_t item = 0; item < (counts == 'm' ? 2 * length : length); item++) {
        if (counts == 'm' && item % 2 == 0 && (used == size || !starts_text(at[used])))
            return 0;
        size_t inner = extent(at + used, size - used, depth - 1);
        if (inner == 0)
            return 0;
        used += inner;
    }
    return used;
}

bool decoderd_read_map(decoderd_bytes frame, msgpack_unpacked *map)
{
    size_t used = 0;
    return frame.size > 0 && extent(frame.bytes, frame.size, DEPTH) == frame.size &&
           msgpack_unpack_next(map, (const char *)frame.bytes, frame.size, &used) == MSGPACK_UNPACK_SUCCESS &&
           map->data.type == MSGPACK_OBJECT_MAP;
}

decoderd_any decoderd_get(decoderd_any map, const char *key)
{
    size_t size = strlen(key);
    if (map == NULL || map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t left = map->via.map.size; left > 0; left--) { /* of a key that comes twice the last counts */
        const msgpack_object_kv *pair = &map->via.map.ptr[left - 1];
        if (pair->key.via.str.size == size && memcmp(pair->key.via.str.ptr, key, size) == 0)
            return &pair->val;
    }
    return NULL;
}

static bool get_integer(decoderd_any value, int64_t *into)
{
    if (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER && value->via.u64 <= INT64_MAX)
        *into = (int64_t)value->via.u64;
    else if (value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *into = value->via.i64;
    else
        return false;
    return true;
}

int64_t decoderd_get_integer(decoderd_any map, const char *key, int64_t otherwise)
{
    decoderd_any value = decoderd_get(map, key);
    if (value != NULL)
        get_integer(value, &otherwise);
    return otherwise;
}

decoderd_text decoderd_get_text(decoderd_any map, const char *key)
{
    decoderd_any value = decoderd_get(map, key);
    if (value == NULL || value->type != MSGPACK_OBJECT_STR)
        return (decoderd_text){"", 0};
    return (decoderd_text){value->via.str.ptr, value->via.str.size};
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static const char *const TOPICS[DECODERD_TOPICS] = {
    "tick", "counts", "task", "trial", "plasticity", "decoder", "perturbation", "metrics", "day", "health", "session"};

#define EVERY(key, name, kind) {DECODERD_TOPICS, key, #name, DECODERD_IS_##kind, offsetof(decoderd_message, name)}
#define OWN(topic, of, key, name, kind) \
    {DECODERD_##topic, key, #name, DECODERD_IS_##kind, offsetof(decoderd_message, as.of.name)}
const decoderd_field decoderd_fields[] = {
    EVERY('s', session, TEXT), EVERY('q', sequence, COUNT), EVERY('k', tick, COUNT),
    OWN(TICK, tick, 'd', day, COUNT), OWN(TICK, tick, 'b', block, COUNT), OWN(TICK, tick, 'r', trial, COUNT),
    OWN(TICK, tick, 'p', phase, COUNT), OWN(TICK, tick, 't', goal, POINT), OWN(TICK, tick, 'c', cursor, FOUR),
    OWN(TICK, tick, 'v', decoded_velocity, PAIR), OWN(TICK, tick, 'i', intended_velocity, PAIR),
    OWN(COUNTS, counts, 'c', channel, TEXT), OWN(COUNTS, counts, 'n', shape, SHAPE),
    OWN(COUNTS, counts, 'e', dtype, TEXT), OWN(COUNTS, counts, 'y', data, BYTES),
    OWN(TASK, task, 'r', trial, COUNT), OWN(TASK, task, 'p', phase, COUNT),
    OWN(TASK, task, 'g', target_index, INTEGER), OWN(TASK, task, 't', goal, POINT),
    OWN(TRIAL, trial, 'd', day, INTEGER), OWN(TRIAL, trial, 'b', block, INTEGER), OWN(TRIAL, trial, 'r', trial, COUNT),
    OWN(TRIAL, trial, 'g', target_index, INTEGER), OWN(TRIAL, trial, 't', target, POINT),
    OWN(TRIAL, trial, 'a', start_tick, COUNT), OWN(TRIAL, trial, 'o', go_tick, INTEGER),
    OWN(TRIAL, trial, 'x', outcome, TEXT), OWN(TRIAL, trial, 'w', perturbations, TEXTS),
    OWN(PLASTICITY, plasticity, 'n', updates, COUNT), OWN(PLASTICITY, plasticity, 'l', loss, NUMBER),
    OWN(PLASTICITY, plasticity, 'z', change_norm, NUMBER), OWN(PLASTICITY, plasticity, 'm', reason, TEXT),
    OWN(DECODER, decoder, 'w', source, TEXT), OWN(DECODER, decoder, 'x', event, TEXT),
    OWN(DECODER, decoder, 'm', reason, TEXT), OWN(DECODER, decoder, 'f', shapes, SHAPE_MAP),
    OWN(DECODER, decoder, 'u', readouts, COUNTS),
    OWN(PERTURBATION, perturbation, 'w', name, TEXT), OWN(PERTURBATION, perturbation, 'x', event, TEXT),
    OWN(PERTURBATION, perturbation, 'f', config, MAP),
    OWN(METRICS, metrics, 'w', source, TEXT), OWN(METRICS, metrics, 'd', day, COUNT),
    OWN(METRICS, metrics, 'f', values, NUMBER_MAP),
    OWN(DAY, day, 'd', day, INTEGER), OWN(DAY, day, 'b', block, INTEGER), OWN(DAY, day, 'x', event, TEXT),
    OWN(DAY, day, 'w', block_name, TEXT), OWN(DAY, day, 'n', trials, COUNT), OWN(DAY, day, 'u', successes, COUNT),
    OWN(HEALTH, health, 'n', ticks, COUNT), OWN(HEALTH, health, 'z', wall_s, NUMBER),
    OWN(HEALTH, health, 'l', lateness_us, SPREAD), OWN(HEALTH, health, 'u', duration_us, SPREAD),
    OWN(HEALTH, health, 'm', missed_deadlines, COUNT), OWN(HEALTH, health, 'c', clipped, COUNT),
    OWN(SESSION, session, 'x', event, TEXT), OWN(SESSION, session, 'i', run, COUNT),
    OWN(SESSION, session, 'f', first_tick, COUNT), OWN(SESSION, session, 'w', detail, TEXT)};
const size_t decoderd_field_count = sizeof decoderd_fields / sizeof decoderd_fields[0];

const char *decoderd_topic_name(decoderd_topic topic) { return topic < DECODERD_TOPICS ? TOPICS[topic] : ""; }

decoderd_topic decoderd_topic_of(const char *name, size_t size)
{
    decoderd_topic topic = 0;
    while (topic < DECODERD_TOPICS && (strlen(TOPICS[topic]) != size || memcmp(TOPICS[topic], name, size) != 0))
        topic++;
    return topic;
}

static bool get_number(decoderd_any value, double *into)
{
    switch (value->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER: *into = (double)value->via.u64; return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: *into = (double)value->via.i64; return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: *into = value->via.f64; return true;
    default: return false;
    }
}

static bool get_numbers(decoderd_any value, double *into, uint32_t size)
{
    if (value->type != MSGPACK_OBJECT_ARRAY || value->via.array.size != size)
        return false;
    for (uint32_t i = 0; i < size; i++)
        if (!get_number(&value->via.array.ptr[i], &into[i]))
            return false;
    return true;
}

static bool get_count(decoderd_any value, int64_t *into) { return get_integer(value, into) && *into >= 0; }

/* Copied, so that a text ends with a zero byte. */
static bool get_text(decoderd_any value, decoderd_text *into, msgpack_zone *memory)
{
    char *copy = value->type == MSGPACK_OBJECT_STR ? msgpack_zone_malloc(memory, value->via.str.size + 1) : NULL;
    if (copy == NULL)
        return false;
    if (value->via.str.size > 0)
        memcpy(copy, value->via.str.ptr, value->via.str.size);
    copy[value->via.str.size] = '\0';
    *into = (decoderd_text){copy, value->via.str.size};
    return true;
}

static bool is_text(decoderd_any value) { return value->type == MSGPACK_OBJECT_STR; }
static bool is_number(decoderd_any value) { return get_number(value, &(double){0}); }
static bool is_integer(decoderd_any value) { return get_integer(value, &(int64_t){0}); }
static bool is_count(decoderd_any value) { return get_count(value, &(int64_t){0}); }
static bool is_anything(decoderd_any value) { return value != NULL; }

static bool is_list(decoderd_any value, bool (*of)(decoderd_any))
{
    bool all = value->type == MSGPACK_OBJECT_ARRAY;
    for (uint32_t i = 0; all && i < value->via.array.size; i++)
        all = of(&value->via.array.ptr[i]);
    return all;
}

static bool is_shape(decoderd_any value) { return is_list(value, is_integer); }

static bool is_map(decoderd_any value, bool (*of)(decoderd_any))
{
    bool all = value->type == MSGPACK_OBJECT_MAP;
    for (uint32_t i = 0; all && i < value->via.map.size; i++)
        all = of(&value->via.map.ptr[i].val);
    return all;
}

/* Put a value into its field; false for one of a wrong type. */
static bool get_field(decoderd_kind kind, decoderd_any value, void *into, msgpack_zone *memory)
{
    bool nil = value->type == MSGPACK_OBJECT_NIL;
    switch (kind) {
    case DECODERD_IS_TEXT: return get_text(value, into, memory);
    case DECODERD_IS_BYTES:
        *(decoderd_bytes *)into = (decoderd_bytes){(const uint8_t *)value->via.bin.ptr, value->via.bin.size};
        return value->type == MSGPACK_OBJECT_BIN;
    case DECODERD_IS_INTEGER: return get_integer(value, into);
    case DECODERD_IS_COUNT: return get_count(value, into);
    case DECODERD_IS_NUMBER: return get_number(value, into);
    case DECODERD_IS_PAIR: return get_numbers(value, into, 2);
    case DECODERD_IS_FOUR: return get_numbers(value, into, 4);
    case DECODERD_IS_SHAPE: {
        int64_t *shape = into;
        return is_list(value, is_count) && value->via.array.size == 2 && get_count(&value->via.array.ptr[0], shape) &&
               get_count(&value->via.array.ptr[1], shape + 1);
    }
    case DECODERD_IS_POINT: {
        decoderd_point *point = into;
        point->given = !nil;
        return nil || get_numbers(value, point->at, 2);
    }
    case DECODERD_IS_SPREAD: {
        decoderd_spread *spread = into;
        spread->given = !nil;
        return nil || get_numbers(value, spread->us, 3);
    }
    default:
        *(decoderd_any *)into = value;
        return kind == DECODERD_IS_TEXTS        ? is_list(value, is_text)
               : kind == DECODERD_IS_COUNTS     ? nil || is_list(value, is_count)
               : kind == DECODERD_IS_NUMBER_MAP ? is_map(value, is_number)
               : kind == DECODERD_IS_SHAPE_MAP  ? is_map(value, is_shape)
                                                : is_map(value, is_anything);
    }
}

void decoderd_clear(decoderd_message *message)
{
    msgpack_unpacked_destroy(&message->memory);
    memset(message, 0, sizeof *message);
}

decoderd_found decoderd_recorded(decoderd_topic topic, decoderd_bytes body, decoderd_message *message)
{
    decoderd_clear(message);
    if (!decoderd_read_map(body, &message->memory))
        return DECODERD_MALFORMED;
    message->topic = topic;
    message->body = body;
    message->payload = &message->memory.data;
    for (const decoderd_field *field = decoderd_fields; field < decoderd_fields + decoderd_field_count; field++) {
        if (field->topic != topic && field->topic != DECODERD_TOPICS)
            continue;
        decoderd_any value = decoderd_get(message->payload, (char[]){field->key, '\0'});
        if (value == NULL || !get_field(field->kind, value, (char *)message + field->offset, message->memory.zone))
            return DECODERD_KEYS;
    }
    return DECODERD_MESSAGE;
}

decoderd_found decoderd_read(const decoderd_bytes *frames, size_t count, decoderd_message *message)
{
    const size_t prefix = sizeof PREFIX - 1;
    decoderd_clear(message);
    if (count != 3)
        return DECODERD_FRAMES;
    if (frames[0].size < prefix || memcmp(frames[0].bytes, PREFIX, prefix) != 0)
        return DECODERD_TOPIC;
    decoderd_topic topic = decoderd_topic_of((const char *)frames[0].bytes + prefix, frames[0].size - prefix);
    if (topic == DECODERD_TOPICS)
        return DECODERD_TOPIC;
    msgpack_unpacked stamp = {0};
    decoderd_found found = DECODERD_MALFORMED;
    if (decoderd_read_map(frames[2], &stamp))
        found = decoderd_recorded(topic, frames[1], message);
    if (found == DECODERD_MESSAGE) {
        decoderd_any run = decoderd_get(&stamp.data, "i"), sent = decoderd_get(&stamp.data, "t");
        bool whole = run != NULL && sent != NULL && is_count(run) && sent->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
        if (whole) {
            message->stamped = true;
            message->incarnation = run->via.u64;
            message->sent_ns = sent->via.u64;
        } else {
            found = DECODERD_KEYS;
        }
    }
    msgpack_unpacked_destroy(&stamp);
    return found;
}

double decoderd_count(const decoderd_counts *counts, int64_t tick, int64_t unit)
{
    bool inside = tick >= 0 && tick < counts->shape[0] && unit >= 0 && unit < counts->shape[1];
    size_t size = strcmp(counts->dtype.text, "|u1") == 0   ? 1
                  : strcmp(counts->dtype.text, "<u2") == 0 ? 2
                  : strcmp(counts->dtype.text, "<f4") == 0 ? 4
                  : strcmp(counts->dtype.text, "<f8") == 0 ? 8
                                                           : 0;
    /* What is announced need not be there. */
    if (!inside || size == 0 || (uint64_t)counts->shape[1] > counts->data.size / size ||
        (uint64_t)tick >= counts->data.size / size / (uint64_t)counts->shape[1])
        return NAN;
    const uint8_t *at = counts->data.bytes + ((size_t)tick * (size_t)counts->shape[1] + (size_t)unit) * size;
    uint64_t bits = 0;
    for (size_t byte = size; byte > 0; byte--)
        bits = bits << 8 | at[byte - 1];
    if (size < 4)
        return (double)bits;
    uint32_t half = (uint32_t)bits;
    float single;
    double number;
    memcpy(&single, &half, sizeof single);
    memcpy(&number, &bits, sizeof number);
    return size == 4 ? single : number;
}

/* --- control ------------------------------------------------------------------------------------------------------ */

/* The frames of one message that was received, one after another in one piece of memory. */
typedef struct {
    uint8_t *bytes;
    size_t size, count;
    decoderd_bytes *frames;
} parts;

struct decoderd_control {
    void *context, *socket;
    const decoderd_keys *keys;
    decoderd_keys kept;
    char key_text[3][41];
    int timeout_ms;
    char random[33], id[64], op[32]; /* an id is a random text and a number */
    uint64_t asked;
    size_t field_count;
    msgpack_sbuffer fields;
    msgpack_packer packer;
    char code[64], field[256], error[512];
};

static decoderd_status fail(decoderd_control *control, decoderd_status status, const char *code, const char *error)
{
    snprintf(control->code, sizeof control->code, "%s", code);
    snprintf(control->error, sizeof control->error, "%s", error);
    control->field[0] = '\0';
    return status;
}

const char *decoderd_error_code(const decoderd_control *control) { return control->code; }
const char *decoderd_error_field(const decoderd_control *control) { return control->field; }
const char *decoderd_error(const decoderd_control *control) { return control->error; }

static bool set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* A socket that waits `timeout_ms` at most, and has introduced itself where there are keys. */
static void *opened(const decoderd_control *control, int type, int timeout_ms)
{
    void *socket = zmq_socket(control->context, type);
    const int64_t largest = LARGEST;
    bool ready = socket != NULL && set(socket, ZMQ_LINGER, 0) && set(socket, ZMQ_SNDTIMEO, timeout_ms) &&
                 set(socket, ZMQ_RCVTIMEO, timeout_ms) && set(socket, ZMQ_RCVHWM, HIGH_WATER_MARK) &&
                 zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0;
    if (ready && control->keys != NULL)
        ready = zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, control->keys->server_key, 41) == 0 &&
                zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, control->keys->public_key, 41) == 0 &&
                zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, control->keys->secret_key, 41) == 0;
    if (!ready && socket != NULL)
        zmq_close(socket);
    return ready ? socket : NULL;
}

static bool draw_random(char hex[33])
{
    uint8_t drawn[16];
    FILE *source = fopen("/dev/urandom", "rb");
    bool done = source != NULL && fread(drawn, sizeof drawn, 1, source) == 1;
    if (source != NULL)
        fclose(source);
    for (int i = 0; done && i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", drawn[i]);
    return done;
}

decoderd_control *decoderd_open(const char *endpoint, int timeout_ms, const decoderd_keys *keys)
{
    decoderd_control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return NULL;
    control->timeout_ms = timeout_ms;
    msgpack_sbuffer_init(&control->fields);
    msgpack_packer_init(&control->packer, &control->fields, msgpack_sbuffer_write);
    if (keys != NULL) {
        const char *given[] = {keys->server_key, keys->public_key, keys->secret_key};
        for (int i = 0; i < 3; i++) {
            if (strlen(given[i]) != 40) {
                decoderd_close(control);
                return NULL;
            }
            memcpy(control->key_text[i], given[i], 41);
        }
        control->kept = (decoderd_keys){control->key_text[0], control->key_text[1], control->key_text[2]};
        control->keys = &control->kept;
    }
    control->context = draw_random(control->random) ? zmq_ctx_new() : NULL;
    control->socket = control->context != NULL ? opened(control, ZMQ_DEALER, timeout_ms) : NULL;
    if (control->socket == NULL || zmq_connect(control->socket, endpoint) != 0) {
        decoderd_close(control);
        return NULL;
    }
    return control;
}

void decoderd_close(decoderd_control *control)
{
    if (control == NULL)
        return;
    if (control->socket != NULL)
        zmq_close(control->socket);
    if (control->context != NULL)
        zmq_ctx_term(control->context);
    msgpack_sbuffer_destroy(&control->fields);
    free(control);
}

void decoderd_pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

msgpack_packer *decoderd_begin(decoderd_control *control, const char *op, size_t fields)
{
    snprintf(control->op, sizeof control->op, "%s", op);
    control->field_count = fields;
    msgpack_sbuffer_clear(&control->fields);
    return &control->packer;
}

/* Receive the frames of one message. 0, or the number of the error: EAGAIN when the time is up. */
static int receive(void *socket, parts *into)
{
    zmq_msg_t part;
    int more = 1, error = 0;
    into->size = into->count = 0;
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, socket, 0) < 0)
            return errno;
        more = zmq_msg_more(&part);
        size_t size = zmq_msg_size(&part);
        uint8_t *bytes = realloc(into->bytes, into->size + size + 1);
        decoderd_bytes *frames = realloc(into->frames, (into->count + 1) * sizeof *frames);
        into->bytes = bytes != NULL ? bytes : into->bytes;
        into->frames = frames != NULL ? frames : into->frames;
        if (bytes == NULL || frames == NULL) {
            error = ENOMEM; /* the frames that follow are read all the same */
        } else if (error == 0) {
            memcpy(bytes + into->size, zmq_msg_data(&part), size);
            frames[into->count++] = (decoderd_bytes){NULL, size};
            into->size += size;
        }
        zmq_msg_close(&part);
    }
    for (size_t i = 0, at = 0; i < into->count; at += into->frames[i++].size)
        into->frames[i].bytes = into->bytes + at;
    return error;
}

static void clear_parts(parts *held)
{
    free(held->bytes);
    free(held->frames);
    *held = (parts){0};
}

void decoderd_clear_reply(decoderd_reply *reply)
{
    msgpack_unpacked_destroy(&reply->memory.map);
    free(reply->memory.bytes);
    free(reply->memory.frames);
    memset(reply, 0, sizeof *reply);
}

/* Send a request of so many fields, which are packed already. */
static bool send_request(decoderd_control *control, const char *id, const char *op, size_t count,
                         const msgpack_sbuffer *fields)
{
    msgpack_sbuffer head;
    msgpack_packer packer;
    msgpack_sbuffer_init(&head);
    msgpack_packer_init(&packer, &head, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 3 + count);
    decoderd_pack_text(&packer, "v");
    msgpack_pack_int(&packer, DECODERD_VERSION);
    decoderd_pack_text(&packer, "id");
    decoderd_pack_text(&packer, id);
    decoderd_pack_text(&packer, "op");
    decoderd_pack_text(&packer, op);
    if (count > 0)
        msgpack_sbuffer_write(&head, fields->data, fields->size);
    bool sent = zmq_send(control->socket, head.data, head.size, 0) >= 0;
    msgpack_sbuffer_destroy(&head);
    return sent;
}

/* What the reply says that is read already. */
static decoderd_status outcome(decoderd_control *control, decoderd_any map)
{
    decoderd_any ok = decoderd_get(map, "ok"), error = decoderd_get(map, "error");
    if (decoderd_get_integer(map, "v", 0) != DECODERD_VERSION)
        return fail(control, DECODERD_REFUSED, "bad_version",
                    "the service speaks another version of the protocol: use the client that comes with the service");
    if (ok != NULL && ok->type == MSGPACK_OBJECT_BOOLEAN && ok->via.boolean)
        return DECODERD_OK;
    decoderd_text code = decoderd_get_text(error, "code"), field = decoderd_get_text(error, "field");
    decoderd_text why = decoderd_get_text(error, "message");
    snprintf(control->code, sizeof control->code, "%.*s", (int)code.size, code.text);
    snprintf(control->field, sizeof control->field, "%.*s", (int)field.size, field.text);
    snprintf(control->error, sizeof control->error, "%.*s", (int)why.size, why.text);
    return DECODERD_REFUSED;
}

/* Receive until a reply to this request came; false when the time is up. `others` counts replies to other ones. */
static bool await_reply(decoderd_control *control, decoderd_reply *reply, int *others)
{
    parts got = {0};
    for (int error = 0; error == 0 || error == EINTR; clear_parts(&got)) {
        error = receive(control->socket, &got);
        if (error != 0)
            continue;
        decoderd_clear_reply(reply);
        if (!decoderd_read_map(got.frames[0], &reply->memory.map))
            continue;
        decoderd_text id = decoderd_get_text(&reply->memory.map.data, "id");
        if (id.size > 0 && (id.size != strlen(control->id) || memcmp(id.text, control->id, id.size) != 0)) {
            ++*others;
            continue;
        }
        reply->map = &reply->memory.map.data;
        reply->memory.bytes = got.bytes;
        reply->memory.frames = got.frames;
        reply->frames = got.frames + 1;
        reply->count = got.count - 1;
        return true;
    }
    return false;
}

/* Send a request until it is answered. A grant is answered when it is over, which may be late: the session's health is
 * asked for with it, and any reply begins the attempts anew. */
static decoderd_status exchange(decoderd_control *control, decoderd_reply *reply)
{
    const bool patient = strcmp(control->op, "grant") == 0;
    for (int left = ATTEMPTS, others = 0; left > 0; left = patient && others > 0 ? ATTEMPTS : left - 1, others = 0) {
        if (patient && left < ATTEMPTS)
            send_request(control, "health", "health", 0, NULL);
        send_request(control, control->id, control->op, control->field_count, &control->fields);
        if (await_reply(control, reply, &others))
            return outcome(control, reply->map);
    }
    char error[256];
    snprintf(error, sizeof error, "no answer to %s", control->op);
    return fail(control, DECODERD_NO_ANSWER, "", error);
}

decoderd_status decoderd_ask(decoderd_control *control, decoderd_reply *reply)
{
    static const char *const AGAIN[] = {"describe", "get_decoder", "missed", "join"};
    const int64_t until = now_ms() + (int64_t)ATTEMPTS * control->timeout_ms;
    bool again = false; /* a session that is being prepared is busy */
    for (size_t i = 0; i < sizeof AGAIN / sizeof AGAIN[0]; i++)
        again = again || strcmp(control->op, AGAIN[i]) == 0;
    for (;;) {
        snprintf(control->id, sizeof control->id, "%s-%llx", control->random, (unsigned long long)++control->asked);
        decoderd_status status = exchange(control, reply);
        if (status != DECODERD_REFUSED || !again || strcmp(control->code, "busy") != 0 || now_ms() > until)
            return status;
    }
}

/* --- following a stream ------------------------------------------------------------------------------------------- */

struct decoderd_follower {
    decoderd_control *control;
    void *socket;
    bool wanted[DECODERD_TOPICS], subscribed[DECODERD_TOPICS];
    int64_t expected[DECODERD_TOPICS]; /* the number of the next message to deliver */
    int64_t until[DECODERD_TOPICS];    /* what is below was published: it is fetched where it is expected still */
    uint64_t newest[DECODERD_TOPICS];  /* incarnation, of topics that are one run's own */
    int64_t incarnation;
    parts arrived;
    bool waiting; /* `arrived` was not delivered yet */
    decoderd_reply fetched;
    decoderd_topic fetched_topic;
    size_t taken; /* of `fetched` */
    int64_t quiet_since, patient_until;
    bool over, caught_up;
};

/* Find out what was published. A service that does not answer has gone, or is being resumed: the stream will show. */
static decoderd_status look(decoderd_follower *f, decoderd_reply *description)
{
    decoderd_begin(f->control, "describe", 0);
    decoderd_status status = decoderd_ask(f->control, description);
    f->quiet_since = now_ms();
    for (decoderd_topic topic = 0; status == DECODERD_OK && topic < DECODERD_TOPICS; topic++)
        if (f->subscribed[topic])
            f->until[topic] = decoderd_get_integer(decoderd_get(description->map, "next"), TOPICS[topic], 0);
    return status;
}

static decoderd_status catch_up(decoderd_follower *f)
{
    decoderd_reply description = {0};
    decoderd_status status = look(f, &description);
    decoderd_clear_reply(&description);
    return status == DECODERD_NO_ANSWER ? DECODERD_OK : status;
}

static bool connect_stream(decoderd_follower *f, decoderd_any description)
{
    char endpoint[256], topic[64];
    decoderd_text stream = decoderd_get_text(description, "stream");
    snprintf(endpoint, sizeof endpoint, "%.*s", (int)stream.size, stream.text);
    f->socket = opened(f->control, ZMQ_SUB, f->control->timeout_ms);
    bool done = f->socket != NULL;
    for (decoderd_topic one = 0; done && one < DECODERD_TOPICS; one++) {
        int size = snprintf(topic, sizeof topic, "%s%s", PREFIX, TOPICS[one]);
        done = !f->subscribed[one] || zmq_setsockopt(f->socket, ZMQ_SUBSCRIBE, topic, (size_t)size) == 0;
    }
    return done && zmq_connect(f->socket, endpoint) == 0;
}

decoderd_follower *decoderd_follow(decoderd_control *control, const decoderd_topic *topics, size_t count,
                                   bool from_start)
{
    decoderd_reply description = {0};
    decoderd_follower *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->control = control;
    f->subscribed[DECODERD_SESSION] = true; /* which says when the session has ended */
    for (size_t i = 0; i < count; i++)
        if (topics[i] < DECODERD_TOPICS)
            f->wanted[topics[i]] = f->subscribed[topics[i]] = true;
    bool ready = look(f, &description) == DECODERD_OK;
    if (ready && !connect_stream(f, description.map)) {
        fail(control, DECODERD_FAILED, "", "cannot subscribe to the session's stream");
        ready = false;
    }
    f->incarnation = ready ? decoderd_get_integer(description.map, "incarnation", 0) : 0;
    if (!from_start)
        memcpy(f->expected, f->until, sizeof f->expected);
    decoderd_clear_reply(&description);
    if (!ready) {
        decoderd_unfollow(f);
        return NULL;
    }
    return f;
}

void decoderd_unfollow(decoderd_follower *follower)
{
    if (follower == NULL)
        return;
    if (follower->socket != NULL)
        zmq_close(follower->socket);
    decoderd_clear_reply(&follower->fetched);
    clear_parts(&follower->arrived);
    free(follower);
}

/* Deliver the message that is expected; false for one that was not asked for. */
static bool deliver(decoderd_follower *f, const decoderd_message *message)
{
    if (message->topic == DECODERD_SESSION) { /* one from before a resume ends nothing */
        const char *event = message->as.session.event.text;
        bool end = strcmp(event, "stopped") == 0 || strcmp(event, "done") == 0 || strcmp(event, "failed") == 0;
        if (message->as.session.run > f->incarnation)
            f->incarnation = message->as.session.run;
        f->over = end && message->as.session.run == f->incarnation;
        f->caught_up = false;
    }
    return f->wanted[message->topic];
}

static bool take_fetched(decoderd_follower *f, decoderd_message *message)
{
    f->expected[f->fetched_topic]++;
    return decoderd_recorded(f->fetched_topic, f->fetched.frames[f->taken++], message) == DECODERD_MESSAGE &&
           deliver(f, message);
}

static bool take_arrived(decoderd_follower *f, decoderd_message *message)
{
    f->waiting = false;
    if (decoderd_read(f->arrived.frames, f->arrived.count, message) != DECODERD_MESSAGE ||
        !f->subscribed[message->topic])
        return false;
    const decoderd_topic topic = message->topic;
    const bool one_run = topic == DECODERD_HEALTH || topic == DECODERD_SESSION;
    if (one_run && message->incarnation > f->newest[topic]) {
        /* Those that were not stored before a crash are lost, and their numbers are used again. */
        f->newest[topic] = message->incarnation;
        f->expected[topic] = smaller(f->expected[topic], message->sequence);
        f->until[topic] = f->expected[topic];
    }
    if (message->sequence > f->expected[topic]) {
        f->until[topic] = message->sequence;
        f->waiting = true;
        return false;
    }
    if (message->sequence < f->expected[topic])
        return false;
    f->expected[topic]++;
    return deliver(f, message);
}

static decoderd_topic first_behind(const decoderd_follower *f)
{
    decoderd_topic topic = 0;
    while (topic < DECODERD_TOPICS && f->expected[topic] >= f->until[topic])
        topic++;
    return topic;
}

/* Ask for what is missing of a topic. It is on the disk half a second after it was published. */
static decoderd_status fetch(decoderd_follower *f, decoderd_topic topic, int64_t deadline)
{
    msgpack_packer *request = decoderd_begin(f->control, "missed", 3);
    decoderd_pack_text(request, "topic");
    decoderd_pack_text(request, TOPICS[topic]);
    decoderd_pack_text(request, "first");
    msgpack_pack_int64(request, f->expected[topic]);
    decoderd_pack_text(request, "count");
    msgpack_pack_int64(request, smaller(MANY, f->until[topic] - f->expected[topic]));
    decoderd_status status = decoderd_ask(f->control, &f->fetched);
    f->fetched_topic = topic;
    f->taken = 0;
    if (status != DECODERD_OK) {
        f->fetched.count = 0;
        return status;
    }
    if (f->fetched.count > 0 || f->patient_until == 0)
        f->patient_until = now_ms() + PATIENCE_MS;
    if (f->fetched.count > 0)
        return DECODERD_OK;
    if (now_ms() > f->patient_until)
        return fail(f->control, DECODERD_LOST, "not_found", "messages did not arrive and are not on the disk");
    nanosleep(&(struct timespec){0, AGAIN_MS * 1000000L}, NULL);
    return now_ms() > deadline ? DECODERD_TIME_UP : DECODERD_OK;
}

static decoderd_status await_message(decoderd_follower *f, int64_t deadline)
{
    int64_t left = deadline - now_ms();
    zmq_pollitem_t item = {f->socket, 0, ZMQ_POLLIN, 0};
    f->patient_until = 0;
    if (zmq_poll(&item, 1, (long)(left < 0 ? 0 : smaller(left, SILENCE_MS))) > 0) {
        int error = receive(f->socket, &f->arrived);
        f->waiting = error == 0;
        f->quiet_since = now_ms();
        return error == ENOMEM ? fail(f->control, DECODERD_FAILED, "", "no memory for a message") : DECODERD_OK;
    }
    if (now_ms() - f->quiet_since >= SILENCE_MS)
        return catch_up(f);
    return now_ms() >= deadline ? DECODERD_TIME_UP : DECODERD_OK;
}

decoderd_status decoderd_next(decoderd_follower *f, decoderd_message *message, int timeout_ms)
{
    const int64_t deadline = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
    for (decoderd_status status = DECODERD_OK; status == DECODERD_OK;) {
        decoderd_topic behind = first_behind(f);
        bool delivered = false;
        if (f->taken < f->fetched.count) {
            delivered = take_fetched(f, message);
        } else if (behind < DECODERD_TOPICS) {
            status = fetch(f, behind, deadline);
        } else if (f->waiting) {
            delivered = take_arrived(f, message);
        } else if (f->over && f->caught_up) {
            status = DECODERD_ENDED;
        } else if (f->over) {
            f->caught_up = true;
            status = catch_up(f);
        } else {
            status = await_message(f, deadline);
        }
        if (delivered || status != DECODERD_OK)
            return status;
    }
    return DECODERD_FAILED;
}
