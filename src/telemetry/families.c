#include "telemetry/families.h"

#define COUNTER(name_, label_, unit_, help_)                                                       \
    {                                                                                              \
        .name = (name_), .label = (label_), .unit = (unit_), .help = (help_), .is_counter = true   \
    }
#define GAUGE(name_, label_, unit_, help_)                                                         \
    {                                                                                              \
        .name = (name_), .label = (label_), .unit = (unit_), .help = (help_)                       \
    }

static const struct slim_telemetry_family_info infos[SLIM_TELEMETRY_SERVICE_FAMILIES_END] = {
    [SLIM_TELEMETRY_START_TIME] = {.name = "slim_process_start_time_seconds",
                                   .help = "When the process started, in seconds since 1970.",
                                   .unit = "s",
                                   .is_time = true},
    [SLIM_TELEMETRY_CPU] = {.name = "slim_process_cpu_seconds_total",
                            .help = "CPU time of all threads.",
                            .unit = "s",
                            .is_counter = true,
                            .is_time = true},
    [SLIM_TELEMETRY_RESIDENT] =
        GAUGE("slim_process_resident_bytes", NULL, "By",
              "Memory of the whole process that is in the machine's memory."),
    [SLIM_TELEMETRY_MESSAGE_MEMORY] = GAUGE("slim_message_memory_bytes", "state", "By",
                                            "Blocks for queued and half-received messages: in use, "
                                            "kept for reuse, and the most that was "
                                            "in use since memory was last given back."),
    [SLIM_TELEMETRY_TABLE_MEMORY] =
        GAUGE("slim_table_memory_bytes", "state", "By",
              "Small objects for connections and subscriptions: in use and kept for reuse."),
    [SLIM_TELEMETRY_EXPORTS] = COUNTER("slim_telemetry_exports_total", "result", "{export}",
                                       "Attempts to export to the OpenTelemetry collector."),
    [SLIM_TELEMETRY_SPANS_DROPPED] =
        COUNTER("slim_telemetry_spans_dropped_total", NULL, "{span}",
                "Spans given up because the collector did not take them."),
    [SLIM_TELEMETRY_CONNECTIONS_UNLISTED] = GAUGE(
        "slim_connections_unlisted", NULL, "{connection}",
        "Connections without metrics of their own on this page, which lists a bounded number."),
    [SLIM_TELEMETRY_SERVING] =
        GAUGE("slim_serving", NULL, "1", "1 while new streams are accepted, 0 while draining."),
    [SLIM_TELEMETRY_MEMORY_MAX] = GAUGE("slim_memory_max_bytes", NULL, "By",
                                        "The bound above which the largest queues are dropped."),
    [SLIM_TELEMETRY_MESSAGES_RECEIVED] = COUNTER("slim_messages_received_total", NULL, "{message}",
                                                 "Messages that came in, of any kind and quality."),
    [SLIM_TELEMETRY_BYTES_RECEIVED] =
        COUNTER("slim_message_received_bytes_total", NULL, "By", "Bytes of these messages."),
    [SLIM_TELEMETRY_MESSAGES_BY_TYPE] =
        COUNTER("slim_messages_by_type_total", "type", "{message}",
                "Messages that came in and are valid, by their kind."),
    [SLIM_TELEMETRY_MESSAGES_DELIVERED] = COUNTER(
        "slim_messages_delivered_total", NULL, "{message}",
        "Messages queued for a receiver or handed to an application, one for each receiver."),
    [SLIM_TELEMETRY_BYTES_DELIVERED] =
        COUNTER("slim_message_delivered_bytes_total", NULL, "By", "Bytes of these messages."),
    [SLIM_TELEMETRY_MESSAGES_DROPPED] =
        COUNTER("slim_messages_dropped_total", "reason", "{message}",
                "Messages that did not go on, one for each receiver that did not get it."),
    [SLIM_TELEMETRY_BYTES_DISCARDED] =
        COUNTER("slim_discarded_bytes_total", NULL, "By",
                "Bytes that waited for a receiver whose stream we ended or whose link was lost."),
    [SLIM_TELEMETRY_FIELDS_IGNORED] =
        COUNTER("slim_private_fields_ignored_total", NULL, "{message}",
                "Messages of remote peers with recv_from or forward_to, which were ignored."),
    [SLIM_TELEMETRY_SUBSCRIPTIONS] =
        GAUGE("slim_subscriptions", NULL, "{subscription}", "Pairs of a name and a connection."),
    [SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED] =
        COUNTER("slim_subscriptions_refused_total", "reason", "{subscription}",
                "Subscribe and Unsubscribe messages without effect."),
    [SLIM_TELEMETRY_SUBSCRIPTIONS_LOST] = COUNTER(
        "slim_subscriptions_lost_total", "reason", "{subscription}",
        "Subscriptions that were not kept for, or not restored on, a stream that came back."),
    [SLIM_TELEMETRY_CONNECTIONS] =
        GAUGE("slim_connections", "kind", "{connection}", "Connections that are open."),
    [SLIM_TELEMETRY_CONNECTIONS_OPENED] =
        COUNTER("slim_connections_opened_total", "kind", "{connection}", "Connections made."),
    [SLIM_TELEMETRY_CONNECTIONS_CLOSED] =
        COUNTER("slim_connections_closed_total", "reason", "{connection}",
                "Remote connections that ended, and why."),
    [SLIM_TELEMETRY_CALLS_REFUSED] =
        COUNTER("slim_calls_refused_total", "reason", "{call}", "Calls that were not accepted."),
    [SLIM_TELEMETRY_STREAMS_BROKEN] =
        COUNTER("slim_streams_broken_total", "reason", "{stream}",
                "Streams ended because of what their peer sent inside of them."),
    [SLIM_TELEMETRY_SOCKETS] = GAUGE("slim_sockets", NULL, "{socket}",
                                     "Sockets of peers and links, with or without streams."),
    [SLIM_TELEMETRY_SOCKETS_ACCEPTED] =
        COUNTER("slim_sockets_accepted_total", NULL, "{socket}", "Sockets that peers opened."),
    [SLIM_TELEMETRY_SOCKETS_REFUSED] = COUNTER("slim_sockets_refused_total", "reason", "{socket}",
                                               "Sockets closed as soon as they were accepted."),
    [SLIM_TELEMETRY_SOCKETS_CLOSED] =
        COUNTER("slim_sockets_closed_total", "reason", "{socket}", "Sockets that ended, and why."),
    [SLIM_TELEMETRY_HTTP2_ERRORS] =
        COUNTER("slim_http2_errors_total", "reason", "{error}",
                "Breaches of HTTP/2, floods and limits: what ended a socket or one stream of it."),
    [SLIM_TELEMETRY_TLS_RELOADS] =
        COUNTER("slim_tls_reloads_total", "result", "{reload}",
                "Certificates, keys and roots read again; failed: the old ones stay in force."),
    [SLIM_TELEMETRY_HOLDS] = COUNTER("slim_holds_total", NULL, "{hold}",
                                     "Times a sender was held back for a slow receiver."),
    [SLIM_TELEMETRY_LINK_EVENTS] = COUNTER("slim_link_events_total", "event", "{event}",
                                           "What happened to links that this node opens."),
    [SLIM_TELEMETRY_HEALTH_CHECKS] =
        COUNTER("slim_health_checks_total", "method", "{call}", "Calls of grpc.health.v1.Health."),
};

const struct slim_telemetry_family_info *
slim_telemetry_family_info(enum slim_telemetry_family family)
{
    assert(infos[family].name != NULL);
    return &infos[family];
}
