/* Prints what it finds in the frames of the test vectors, which `decoderd wire --vectors vectors` writes:
 *
 *     ./dump < vectors/frames.txt | diff - vectors/dump.txt
 */
#define _POSIX_C_SOURCE 200809L
#include "decoderd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_text(const char *text, size_t size)
{
    putchar('"');
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        printf(byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\' ? "\\x%02x" : "%c", byte);
    }
    putchar('"');
}

static void print_bytes(decoderd_bytes data)
{
    putchar('#');
    for (size_t i = 0; i < data.size; i++)
        printf("%02x", data.bytes[i]);
}

static void print_number(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (isnan(number))
        printf("nan");
    else if (isinf(number))
        printf(number > 0 ? "inf" : "-inf");
    else if (floor(number) == number && fabs(number) <= 9007199254740992.0)
        printf("%lld", (long long)number);
    else
        printf("0x%016llx", (unsigned long long)bits);
}

static void print_numbers(const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf(i == 0 ? "[" : ", ");
        print_number(numbers[i]);
    }
    putchar(']');
}

static int by_key(const void *a, const void *b)
{
    const msgpack_object_str *x = &(*(const msgpack_object_kv *const *)a)->key.via.str;
    const msgpack_object_str *y = &(*(const msgpack_object_kv *const *)b)->key.via.str;
    uint32_t shorter = x->size < y->size ? x->size : y->size;
    int order = shorter == 0 ? 0 : memcmp(x->ptr, y->ptr, shorter);
    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static void print_any(decoderd_any value)
{
    switch (value->type) {
    case MSGPACK_OBJECT_NIL: printf("null"); break;
    case MSGPACK_OBJECT_BOOLEAN: printf(value->via.boolean ? "true" : "false"); break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: printf("%llu", (unsigned long long)value->via.u64); break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: printf("%lld", (long long)value->via.i64); break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: print_number(value->via.f64); break;
    case MSGPACK_OBJECT_STR: print_text(value->via.str.ptr, value->via.str.size); break;
    case MSGPACK_OBJECT_BIN:
        print_bytes((decoderd_bytes){(const uint8_t *)value->via.bin.ptr, value->via.bin.size});
        break;
    case MSGPACK_OBJECT_EXT: printf("extension"); break;
    case MSGPACK_OBJECT_ARRAY:
        putchar('[');
        for (uint32_t i = 0; i < value->via.array.size; i++) {
            printf(i == 0 ? "" : ", ");
            print_any(&value->via.array.ptr[i]);
        }
        putchar(']');
        break;
    case MSGPACK_OBJECT_MAP: {
        uint32_t size = value->via.map.size;
        const msgpack_object_kv **pairs = malloc((size + 1) * sizeof *pairs);
        for (uint32_t i = 0; pairs != NULL && i < size; i++)
            pairs[i] = &value->via.map.ptr[i];
        qsort(pairs, size, sizeof *pairs, by_key);
        putchar('{');
        for (uint32_t i = 0; pairs != NULL && i < size; i++) {
            printf(i == 0 ? "" : ", ");
            print_text(pairs[i]->key.via.str.ptr, pairs[i]->key.via.str.size);
            printf(": ");
            print_any(&pairs[i]->val);
        }
        putchar('}');
        free(pairs);
    }
    }
}

static void print_field(decoderd_kind kind, const void *at)
{
    const decoderd_text *text = at;
    const decoderd_point *point = at;
    const decoderd_spread *spread = at;
    const int64_t *integers = at;
    switch (kind) {
    case DECODERD_IS_TEXT: print_text(text->text, text->size); break;
    case DECODERD_IS_BYTES: print_bytes(*(const decoderd_bytes *)at); break;
    case DECODERD_IS_INTEGER:
    case DECODERD_IS_COUNT: printf("%lld", (long long)integers[0]); break;
    case DECODERD_IS_NUMBER: print_number(*(const double *)at); break;
    case DECODERD_IS_PAIR: print_numbers(at, 2); break;
    case DECODERD_IS_FOUR: print_numbers(at, 4); break;
    case DECODERD_IS_SHAPE: printf("[%lld, %lld]", (long long)integers[0], (long long)integers[1]); break;
    case DECODERD_IS_POINT: point->given ? print_numbers(point->at, 2) : (void)printf("null"); break;
    case DECODERD_IS_SPREAD: spread->given ? print_numbers(spread->us, 3) : (void)printf("null"); break;
    default: print_any(*(const decoderd_any *)at);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const decoderd_field *const *)a)->name, (*(const decoderd_field *const *)b)->name);
}

static void print_message(const decoderd_message *message)
{
    const decoderd_field *fields[32];
    size_t count = 0;
    for (size_t i = 0; i < decoderd_field_count; i++)
        if (decoderd_fields[i].topic == message->topic || decoderd_fields[i].topic == DECODERD_TOPICS)
            fields[count++] = &decoderd_fields[i];
    qsort(fields, count, sizeof fields[0], by_name);
    printf("message %s ", decoderd_topic_name(message->topic));
    for (size_t i = 0; i < count; i++) {
        printf("%s\"%s\": ", i == 0 ? "{" : ", ", fields[i]->name);
        print_field(fields[i]->kind, (const char *)message + fields[i]->offset);
    }
    printf("} incarnation %llu sent_ns %llu\n", (unsigned long long)message->incarnation,
           (unsigned long long)message->sent_ns);
}

static void print_line(const char *what, const decoderd_bytes *frames, size_t count)
{
    static const char *const WHY[] = {"", "frames", "topic", "malformed", "keys"};
    if (strcmp(what, "message") == 0) {
        decoderd_message message = {0};
        decoderd_found found = decoderd_read(frames, count, &message);
        if (found == DECODERD_MESSAGE)
            print_message(&message);
        else
            printf("ignored: %s\n", WHY[found]);
        decoderd_clear(&message);
        return;
    }
    msgpack_unpacked map = {0};
    size_t first = count > 1 && frames[0].size == 0 ? 1 : 0; /* after the delimiter of a REQ socket */
    if (count > 0 && decoderd_read_map(frames[first], &map)) {
        printf("map ");
        print_any(&map.data);
        putchar('\n');
    } else {
        printf("malformed\n");
    }
    msgpack_unpacked_destroy(&map);
}

/* The bytes of hex digits, in memory of exactly their size, so that a tool sees whatever is read beyond them. */
static decoderd_bytes from_hex(const char *digits)
{
    size_t size = strcmp(digits, "-") == 0 ? 0 : strlen(digits) / 2;
    uint8_t *bytes = malloc(size == 0 ? 1 : size);
    for (size_t i = 0; bytes != NULL && i < size; i++)
        bytes[i] = (uint8_t)strtoul((char[]){digits[2 * i], digits[2 * i + 1], '\0'}, NULL, 16);
    return (decoderd_bytes){bytes, bytes == NULL ? 0 : size};
}

int main(void)
{
    char *line = NULL, *rest = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        decoderd_bytes frames[300];
        size_t count = 0;
        if (line[0] == '#') {
            printf("%s", line);
            continue;
        }
        char *what = strtok_r(line, " \n", &rest), *digits;
        while (what != NULL && count < 300 && (digits = strtok_r(NULL, " \n", &rest)) != NULL)
            frames[count++] = from_hex(digits);
        if (what != NULL)
            print_line(what, frames, count);
        while (count > 0)
            free((void *)frames[--count].bytes);
    }
    free(line);
    return 0;
}
