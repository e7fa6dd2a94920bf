/* Writes every message of the topics named as a line "topic payload-in-hex", from the session's start to its end:
 * ./record tcp://127.0.0.1:PORT tick trial ...        (the control endpoint of the session) */
#include "decoderd.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    decoderd_topic topics[DECODERD_TOPICS];
    size_t count = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: %s CONTROL TOPIC ...\n", argv[0]);
        return 2;
    }
    for (int i = 2; i < argc && count < DECODERD_TOPICS; i++) {
        topics[count++] = decoderd_topic_of(argv[i], strlen(argv[i]));
        if (topics[count - 1] == DECODERD_TOPICS) {
            fprintf(stderr, "there is no topic %s; there are", argv[i]);
            for (decoderd_topic topic = 0; topic < DECODERD_TOPICS; topic++)
                fprintf(stderr, "%s %s", topic == 0 ? "" : ",", decoderd_topic_name(topic));
            fprintf(stderr, "\n");
            return 2;
        }
    }
    decoderd_control *control = decoderd_open(argv[1], 5000, NULL);
    if (control == NULL) {
        fprintf(stderr, "%s is no endpoint: right is tcp://HOST:PORT\n", argv[1]);
        return 2;
    }
    decoderd_follower *follower = decoderd_follow(control, topics, count, true);
    decoderd_message message = {0};
    decoderd_status status = follower == NULL ? DECODERD_FAILED : DECODERD_OK;
    while (status == DECODERD_OK && (status = decoderd_next(follower, &message, -1)) == DECODERD_OK) {
        printf("%s ", decoderd_topic_name(message.topic));
        for (size_t i = 0; i < message.body.size; i++)
            printf("%02x", message.body.bytes[i]);
        printf("\n");
        fflush(stdout);
    }
    if (status != DECODERD_ENDED)
        fprintf(stderr, "%s: %s\n", argv[1], decoderd_error(control));
    decoderd_clear(&message);
    decoderd_unfollow(follower);
    decoderd_close(control);
    return status == DECODERD_ENDED ? 0 : 1;
}
