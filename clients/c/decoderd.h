/* decoderd.h: follow and control sessions of decoderd from C, over libzmq and msgpack-c.
 *
 * The protocol is described in decoderd/wire/specification/README.md. Nothing here is shared between two controls, and one
 * control, with all that was made from it, belongs to one thread.
 */
#ifndef DECODERD_H
#define DECODERD_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECODERD_VERSION 2 /* of the protocol */

typedef enum {
    DECODERD_OK = 0,
    DECODERD_TIME_UP,   /* no message within the time given: ask for the next one again */
    DECODERD_ENDED,     /* the session has ended, and every message was delivered */
    DECODERD_REFUSED,   /* the service answered with an error; nothing was changed */
    DECODERD_NO_ANSWER, /* whether the request was carried out is not known */
    DECODERD_LOST,      /* messages did not arrive and are not on the disk */
    DECODERD_FAILED     /* no memory, or a socket that cannot be opened */
} decoderd_status;

/* --- messages: each topic's fields by the whole names of the protocol's tables --------------------------------- */

typedef enum {
    DECODERD_TICK,
    DECODERD_COUNTS,
    DECODERD_TASK,
    DECODERD_TRIAL,
    DECODERD_PLASTICITY,
    DECODERD_DECODER,
    DECODERD_PERTURBATION,
    DECODERD_METRICS,
    DECODERD_DAY,
    DECODERD_HEALTH,
    DECODERD_SESSION,
    DECODERD_TOPICS /* how many there are */
} decoderd_topic;

/* A text ends with a zero byte, which `size` does not count. */
typedef struct { const char *text; size_t size; } decoderd_text;
typedef struct { const uint8_t *bytes; size_t size; } decoderd_bytes;
typedef struct { bool given; double at[2]; } decoderd_point;   /* x, y in m; not given: at rest, or no target */
typedef struct { bool given; double us[3]; } decoderd_spread;  /* median, 99th percentile, maximum */
typedef const msgpack_object *decoderd_any;                    /* a list or a map, as msgpack-c has it */

typedef struct { int64_t day, block, trial, phase; decoderd_point goal; double cursor[4], decoded_velocity[2],
                 intended_velocity[2]; } decoderd_tick;
typedef struct { decoderd_text channel; int64_t shape[2]; decoderd_text dtype; decoderd_bytes data; } decoderd_counts;
typedef struct { int64_t trial, phase, target_index; decoderd_point goal; } decoderd_task;
typedef struct { int64_t day, block, trial, target_index; decoderd_point target; int64_t start_tick, go_tick;
                 decoderd_text outcome; decoderd_any perturbations; } decoderd_trial;
typedef struct { int64_t updates; double loss, change_norm; decoderd_text reason; } decoderd_plasticity;
typedef struct { decoderd_text source, event, reason; decoderd_any shapes, readouts; } decoderd_decoder;
typedef struct { decoderd_text name, event; decoderd_any config; } decoderd_perturbation;
typedef struct { decoderd_text source; int64_t day; decoderd_any values; } decoderd_metrics;
typedef struct { int64_t day, block; decoderd_text event, block_name; int64_t trials, successes; } decoderd_day;
typedef struct { int64_t ticks; double wall_s; decoderd_spread lateness_us, duration_us; int64_t missed_deadlines,
                 clipped; } decoderd_health;
typedef struct { decoderd_text event; int64_t run, first_tick; decoderd_text detail; } decoderd_session;

typedef struct {
    decoderd_topic topic;
    bool stamped; /* false for a message from the record, which has no incarnation and no time */
    uint64_t incarnation, sent_ns;
    decoderd_text session;
    int64_t sequence, tick;
    union {
        decoderd_tick tick;
        decoderd_counts counts;
        decoderd_task task;
        decoderd_trial trial;
        decoderd_plasticity plasticity;
        decoderd_decoder decoder;
        decoderd_perturbation perturbation;
        decoderd_metrics metrics;
        decoderd_day day;
        decoderd_health health;
        decoderd_session session;
    } as;
    decoderd_bytes body;     /* the payload's bytes */
    decoderd_any payload;    /* the payload's map, with its short keys */
    msgpack_unpacked memory; /* of all the above but `body` */
} decoderd_message;

/* What frames are: a message, or why they are to be ignored. */
typedef enum {
    DECODERD_MESSAGE,
    DECODERD_FRAMES,    /* not three */
    DECODERD_TOPIC,     /* of another major version, or unknown */
    DECODERD_MALFORMED, /* payload or stamp is not one map with text keys and nothing more */
    DECODERD_KEYS       /* a key is missing or has a wrong type */
} decoderd_found;

/* Read a message into `message`, which was `{0}` or holds an earlier one. `body` of the message is that of `frames`. */
decoderd_found decoderd_read(const decoderd_bytes *frames, size_t count, decoderd_message *message);
/* Read a message of the record, a payload without a stamp. */
decoderd_found decoderd_recorded(decoderd_topic topic, decoderd_bytes body, decoderd_message *message);
/* Free what a message holds. */
void decoderd_clear(decoderd_message *message);

/* Read the map of a request or a reply into `map`, which was `{0}` or holds an earlier one; free it with
 * msgpack_unpacked_destroy. False for what is not one map with text keys and nothing after it. */
bool decoderd_read_map(decoderd_bytes frame, msgpack_unpacked *map);

const char *decoderd_topic_name(decoderd_topic topic);
/* The topic of a name; DECODERD_TOPICS if there is none. */
decoderd_topic decoderd_topic_of(const char *name, size_t size);
/* An entry of `counts`: of a tick of the bin and a unit. NAN where there is none, or if the type is not known. */
double decoderd_count(const decoderd_counts *counts, int64_t tick, int64_t unit);
/* The value of a map's key, NULL if it has none. */
decoderd_any decoderd_get(decoderd_any map, const char *key);
/* The integer, or the text, that a map has for a key; `otherwise`, or an empty text, if it has none. */
int64_t decoderd_get_integer(decoderd_any map, const char *key, int64_t otherwise);
decoderd_text decoderd_get_text(decoderd_any map, const char *key);

/* How the fields of messages are laid out, for programs that show any message. `topic` is DECODERD_TOPICS for those
 * that all messages have. */
typedef enum {
    DECODERD_IS_TEXT, DECODERD_IS_BYTES, DECODERD_IS_INTEGER, DECODERD_IS_COUNT, DECODERD_IS_NUMBER,
    DECODERD_IS_PAIR, DECODERD_IS_FOUR, DECODERD_IS_SHAPE, DECODERD_IS_POINT, DECODERD_IS_SPREAD,
    DECODERD_IS_TEXTS, DECODERD_IS_COUNTS, DECODERD_IS_MAP, DECODERD_IS_NUMBER_MAP, DECODERD_IS_SHAPE_MAP
} decoderd_kind;
typedef struct { decoderd_topic topic; char key; const char *name; decoderd_kind kind; size_t offset; } decoderd_field;
extern const decoderd_field decoderd_fields[];
extern const size_t decoderd_field_count;

/* --- control ---------------------------------------------------------------------------------------------------- */

typedef struct decoderd_control decoderd_control;
/* Keys as in the file that `decoderd keys DIR --client NAME` made, Z85 text of 40 characters each. */
typedef struct { const char *server_key, *public_key, *secret_key; } decoderd_keys;
typedef struct {
    decoderd_any map;
    size_t count; /* frames that follow the map: arrays, or messages */
    const decoderd_bytes *frames;
    struct { uint8_t *bytes; decoderd_bytes *frames; msgpack_unpacked map; } memory; /* of all the above */
} decoderd_reply;

/* Control of a session or of the supervisor. A request is sent three times, under one id, and waits `timeout_ms` each
 * time. `keys` may be NULL. NULL if there is no memory, or for an endpoint or keys that are none. */
decoderd_control *decoderd_open(const char *endpoint, int timeout_ms, const decoderd_keys *keys);
/* After decoderd_unfollow of all that follow with it. */
void decoderd_close(decoderd_control *control);
/* Begin a request of so many fields, which are then packed: a text as key, and a value, each. */
msgpack_packer *decoderd_begin(decoderd_control *control, const char *op, size_t fields);
void decoderd_pack_text(msgpack_packer *packer, const char *text);
/* Send the request and wait for its reply, which was `{0}` or holds an earlier one. A grant is waited for as long as
 * the session answers at all. */
decoderd_status decoderd_ask(decoderd_control *control, decoderd_reply *reply);
void decoderd_clear_reply(decoderd_reply *reply);
/* Why the last call that used this control failed: the error's code, the path to the field at fault (or an empty
 * text), and a sentence. */
const char *decoderd_error_code(const decoderd_control *control);
const char *decoderd_error_field(const decoderd_control *control);
const char *decoderd_error(const decoderd_control *control);

/* --- following a stream ------------------------------------------------------------------------------------------ */

typedef struct decoderd_follower decoderd_follower;
/* Messages of `count` topics from now on, or from the session's start. The control must stay open. NULL: see
 * decoderd_error. */
decoderd_follower *decoderd_follow(decoderd_control *control, const decoderd_topic *topics, size_t count,
                                   bool from_start);
/* The next message, every one once and in the order of its topic, whatever the socket dropped. Waits `timeout_ms`, or
 * without end if that is negative. The message holds until the next call. */
decoderd_status decoderd_next(decoderd_follower *follower, decoderd_message *message, int timeout_ms);
void decoderd_unfollow(decoderd_follower *follower);

#endif
