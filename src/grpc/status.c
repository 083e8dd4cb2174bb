/* Status codes and their text on the wire (gRPC over HTTP/2, "Responses"; HTTP and RST_STREAM mappings of the same). */
#include "grpc/internal.h"

static const char hex_digits[] = "0123456789ABCDEF";

/* The set of the reference: controls, everything beyond ASCII, and these. */
static bool is_escaped(uint8_t byte)
{
    return byte <= ' ' || byte >= 0x7f || strchr("\"#%<>`?{}", byte) != NULL;
}

size_t slim_grpc_text_encode(struct slim_view text, uint8_t out[static SLIM_GRPC_ENCODED_TEXT_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && i < SLIM_GRPC_STATUS_TEXT_MAX; i++) {
        uint8_t byte = text.data[i];
        if (!is_escaped(byte)) {
            out[len++] = byte;
            continue;
        }
        out[len++] = '%';
        out[len++] = (uint8_t)hex_digits[byte >> 4];
        out[len++] = (uint8_t)hex_digits[byte & 0x0f];
    }
    return len;
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

size_t slim_grpc_text_decode(struct slim_view text, uint8_t out[static SLIM_GRPC_STATUS_TEXT_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < SLIM_GRPC_STATUS_TEXT_MAX; i++) {
        bool is_escape = text.data[i] == '%' && text.len - i > 2 &&
                         hex_value(text.data[i + 1]) >= 0 && hex_value(text.data[i + 2]) >= 0;
        if (!is_escape) {
            out[len++] = text.data[i];
            continue;
        }
        out[len++] = (uint8_t)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2]));
        i += 2;
    }
    return len;
}

enum slim_grpc_status slim_grpc_status_parse(struct slim_view text)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 2) {
        return SLIM_GRPC_UNKNOWN;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return SLIM_GRPC_UNKNOWN;
        }
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    return value <= SLIM_GRPC_UNAUTHENTICATED ? (enum slim_grpc_status)value : SLIM_GRPC_UNKNOWN;
}

enum slim_grpc_status slim_grpc_status_of_reset(uint32_t error, bool is_server)
{
    switch (error) {
    case SLIM_H2_NO_ERROR:
        return is_server ? SLIM_GRPC_CANCELLED : SLIM_GRPC_INTERNAL;
    case SLIM_H2_REFUSED_STREAM:
        return SLIM_GRPC_UNAVAILABLE;
    case SLIM_H2_CANCEL:
        return SLIM_GRPC_CANCELLED;
    case SLIM_H2_ENHANCE_YOUR_CALM:
        return SLIM_GRPC_RESOURCE_EXHAUSTED;
    case SLIM_H2_INADEQUATE_SECURITY:
        return SLIM_GRPC_PERMISSION_DENIED;
    default:
        return SLIM_GRPC_INTERNAL;
    }
}

enum slim_grpc_status slim_grpc_status_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return SLIM_GRPC_INTERNAL;
    case 401:
        return SLIM_GRPC_UNAUTHENTICATED;
    case 403:
        return SLIM_GRPC_PERMISSION_DENIED;
    case 404:
        return SLIM_GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return SLIM_GRPC_UNAVAILABLE;
    default:
        return SLIM_GRPC_UNKNOWN;
    }
}

const char *slim_grpc_status_text(enum slim_grpc_status status)
{
    switch (status) {
    case SLIM_GRPC_OK:
        return "The operation completed successfully";
    case SLIM_GRPC_CANCELLED:
        return "The operation was cancelled";
    case SLIM_GRPC_UNKNOWN:
        return "Unknown error";
    case SLIM_GRPC_INVALID_ARGUMENT:
        return "Client specified an invalid argument";
    case SLIM_GRPC_DEADLINE_EXCEEDED:
        return "Deadline expired before operation could complete";
    case SLIM_GRPC_NOT_FOUND:
        return "Some requested entity was not found";
    case SLIM_GRPC_ALREADY_EXISTS:
        return "Some entity that we attempted to create already exists";
    case SLIM_GRPC_PERMISSION_DENIED:
        return "The caller does not have permission to execute the specified operation";
    case SLIM_GRPC_RESOURCE_EXHAUSTED:
        return "Some resource has been exhausted";
    case SLIM_GRPC_FAILED_PRECONDITION:
        return "The system is not in a state required for the operation's execution";
    case SLIM_GRPC_ABORTED:
        return "The operation was aborted";
    case SLIM_GRPC_OUT_OF_RANGE:
        return "Operation was attempted past the valid range";
    case SLIM_GRPC_UNIMPLEMENTED:
        return "Operation is not implemented or not supported";
    case SLIM_GRPC_INTERNAL:
        return "Internal error";
    case SLIM_GRPC_UNAVAILABLE:
        return "The service is currently unavailable";
    case SLIM_GRPC_DATA_LOSS:
        return "Unrecoverable data loss or corruption";
    case SLIM_GRPC_UNAUTHENTICATED:
        return "The request does not have valid authentication credentials";
    }
    return "Unknown error";
}
